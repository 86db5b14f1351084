"""What the farm is about, without I/O: records, transitions, frame ranges, chunk carving, retries, estimates."""
