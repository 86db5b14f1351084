"""Where the frames of a job go on this computer: the scene's output path at the time when it was submitted.

Kept for each person in one small file, which may be lost at any time: then the open scene says where.
"""

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from .digest_cache import usual_place
from .frame_names import frame_path
from .results import Placement, safe_name

#: The last so many jobs are remembered.
MOST = 1000


@dataclass(frozen=True)
class Destination:
    """The output path of a scene."""

    pattern: str
    """Absolute, as Blender understands it: ``/shots/010/beauty_####``."""
    use_ending: bool = True
    """Blender adds the format's ending."""
    subfolder: str = ""
    """Of one of several cameras; empty: none."""

    def placement(self, job_name: str) -> Placement:
        """Return where the files of a job go."""
        path = Path(self.pattern)
        folder = path if self.pattern.endswith(("/", "\\")) else path.parent
        name = "" if self.pattern.endswith(("/", "\\")) else path.name
        if self.subfolder:
            folder /= safe_name(self.subfolder)
        pattern = f"{folder}/{name}"
        return Placement(
            folder,
            lambda frame, filename: Path(frame_path(pattern, frame, Path(filename).suffix, use_ending=self.use_ending)),
            folder / f"{safe_name(job_name)}.mp4",
        )


def remember(farm: str, job_id: int, destination: Destination, path: Path | None = None) -> None:
    """Keep where a job's frames go; what cannot be kept is forgotten."""
    path = path or _usual()
    known = _read(path)
    known.pop(f"{farm} {job_id}", None)
    known[f"{farm} {job_id}"] = asdict(destination)
    kept = dict(list(known.items())[-MOST:])
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        half = path.with_suffix(".part")
        half.write_text(json.dumps(kept), encoding="utf-8")
        half.replace(path)


def recall(farm: str, job_id: int, path: Path | None = None) -> Destination | None:
    """Return where a job's frames go; None: it is not known."""
    try:
        kept = _read(path or _usual())[f"{farm} {job_id}"]
        return Destination(str(kept["pattern"]), bool(kept["use_ending"]), str(kept["subfolder"]))
    except (KeyError, TypeError):
        return None


def _usual() -> Path:
    return usual_place().with_name("destinations.json")


def _read(path: Path) -> dict[str, dict[str, str | bool]]:
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}
