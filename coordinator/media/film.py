"""The command lines for making and checking a film.  Pure: nothing is run or read here."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

#: How far a rate like 23.976 may be from the exact 24000/1001 to be taken for it, in pictures a second.
_NTSC_TOLERANCE = 0.005

_SAMPLE_RATE = 48_000


@dataclass(frozen=True)
class Film:
    """What a film is made of."""

    pattern: Path
    """The numbered pictures, with ``%06d`` for their number, which starts at 0."""
    frame_count: int
    rate: Fraction
    """Pictures a second."""
    width: int
    """Of the pictures, in pixels."""
    height: int
    alpha: bool
    """The pictures have (straight) alpha."""
    deep: bool
    """The pictures have more than 8 bits per channel."""
    sound: Path | None

    @property
    def seconds(self) -> Fraction:
        """How long it is."""
        return self.frame_count / self.rate


def exact_rate(fps: float) -> Fraction:
    """Return a frame rate as the ratio that was meant: 23.976 is 24000/1001, as Blender's 24 / 1.001 is."""
    if abs(fps - round(fps)) < 1e-6 and round(fps) > 0:
        return Fraction(round(fps))
    ntsc = Fraction(round(fps * 1.001) * 1000, 1001)
    if ntsc and abs(fps - float(ntsc)) < _NTSC_TOLERANCE:
        return ntsc
    return Fraction(fps).limit_denominator(100_000)


def encode_argv(ffmpeg: Path, film: Film, target: Path) -> list[str]:
    """Return the command that makes an H.264 MP4 every browser and player reads.

    ``target`` gets BT.709 in limited range, 4:2:0, an even size, AAC sound of the film's very length, and its index
    at the front, so that it starts playing before it is loaded.
    """
    argv = [str(ffmpeg), "-nostdin", "-hide_banner", "-loglevel", "error", "-y"]
    argv += ["-framerate", str(film.rate), "-start_number", "0", "-i", str(film.pattern)]
    if film.sound is not None:
        argv += ["-i", str(film.sound)]
    argv += ["-map", "0:v:0", "-vf", _picture_filter(film)]
    argv += ["-c:v", "libx264", "-preset", "medium", "-crf", "18", "-pix_fmt", "yuv420p"]
    # A key frame each second or so makes scrubbing quick.
    argv += ["-g", str(max(1, round(film.rate)))]
    argv += ["-color_primaries", "bt709", "-color_trc", "bt709", "-colorspace", "bt709", "-color_range", "tv"]
    if film.sound is not None:
        end = f"{float(film.seconds):.6f}"
        argv += ["-map", "1:a:0", "-af", f"apad=whole_dur={end},atrim=end={end}"]
        argv += ["-c:a", "aac", "-b:a", "192k", "-ar", str(_SAMPLE_RATE)]
    return [*argv, "-map_metadata", "-1", "-movflags", "+faststart", "-f", "mp4", str(target)]


def decode_argv(ffmpeg: Path, source: Path) -> list[str]:
    """Return the command that decodes a film completely and prints a line for each picture and piece of sound.

    The lines are those of ffmpeg's framecrc format: stream, decoding time, presentation time, duration, …, in the
    units that its ``#tb STREAM: N/D`` lines state.  Unlike ffmpeg's own counters they leave nothing out and nothing in.
    """
    return [
        *(str(ffmpeg), "-nostdin", "-hide_banner", "-loglevel", "error", "-xerror", "-i", str(source)),
        *("-map", "0:v:0", "-map", "0:a?", "-f", "framecrc", "-"),
    ]


def _picture_filter(film: Film) -> str:
    """Return the filter chain: alpha over black, then an even size, then BT.709.

    The middle is done in planar RGB, where every pixel has its own colour.
    """
    depth = "16" if film.deep else ""
    steps = [f"format=gbrap{depth}", "premultiply=inplace=1"] if film.alpha else []
    steps.append(f"format=gbrp{depth}")
    right, bottom = film.width % 2, film.height % 2
    if right or bottom:
        # The last column and row are repeated: scaling would blur the whole picture for one pixel.
        steps.append(f"pad={film.width + right}:{film.height + bottom}:0:0")
        steps.append(f"fillborders=right={right}:bottom={bottom}:mode=smear")
    steps.append("scale=out_color_matrix=bt709:out_range=tv:flags=bicubic+accurate_rnd+full_chroma_int")
    steps.append("format=yuv420p")
    return ",".join(steps)
