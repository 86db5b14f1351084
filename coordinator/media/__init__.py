"""Pictures and films: checking frames, making the MP4 with ffmpeg."""
