"""What stands in the way of a render, or will look different on the farm, in the artist's words (pure)."""

import enum
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .frame_range import FrameRange, FrameRangeError, parse_frames
from .snapshot import Dependency, SceneSnapshot
from .submission import ENGINES, Overrides, frames_text, output_format, wants_video

#: Missing files are named one by one up to this many; then they are counted.
MOST_NAMED = 5

#: How a simulation is baked where it is not done in Physics → Cache.
_BAKING = {
    "fluid simulation": "Bake it (Physics → Fluid → Bake All), then submit again.",
    "rigid body simulation": "Bake it (Scene → Rigid Body World → Cache → Bake), then submit again.",
    "geometry nodes bake": "Bake it (in the modifier or the node: Bake), then submit again.",
    "particle system": "Bake it (Particles → Cache → Bake), then submit again.",
    "hair simulation": "Bake it (Particles → Cache → Bake), then submit again.",
}


class Severity(enum.StrEnum):
    """What a problem means for the submission."""

    ERROR = "error"
    """It cannot be submitted."""
    WARNING = "warning"
    """It can, and the result may not be what was expected; shown on the job."""
    INFO = "info"
    """It can, and the result is what was expected; only here for the artist to know."""


@dataclass(frozen=True)
class Problem:
    """One finding: ``code`` for programs, ``message`` says what is so and ``hint`` what to do."""

    severity: Severity
    code: str
    message: str
    hint: str

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


def check(snapshot: SceneSnapshot, dependencies: Sequence[Dependency], overrides: Overrides) -> list[Problem]:
    """Return every problem of submitting the scene with these overrides, errors first."""
    problems = [
        *_check_choices(snapshot, overrides),
        *_check_frames(snapshot, overrides),
        *_check_files(dependencies),
        *_check_output(snapshot, overrides),
    ]
    order = list(Severity)
    return sorted(problems, key=lambda problem: order.index(problem.severity))


def _error(code: str, message: str, hint: str) -> Problem:
    return Problem(Severity.ERROR, code, message, hint)


def _warning(code: str, message: str, hint: str) -> Problem:
    return Problem(Severity.WARNING, code, message, hint)


def _check_choices(snapshot: SceneSnapshot, overrides: Overrides) -> Iterator[Problem]:
    if snapshot.file_version > snapshot.blender_version:
        newer, older = _version(snapshot.file_version), _version(snapshot.blender_version)
        yield _error(
            "newer_file",
            f"The file was saved by Blender {newer}, and this Blender {older} loses what it does not know of it.",
            f"Submit it with Blender {newer} or newer.",
        )
    if overrides.camera is not None and overrides.camera not in snapshot.cameras:
        yield _error(
            "no_camera",
            f"The scene “{snapshot.scene}” has no camera named “{overrides.camera}”.",
            _choose_one(snapshot.cameras, "Add a camera to the scene."),
        )
    elif overrides.camera is None and not _has_view(snapshot):
        yield _error(
            "no_camera",
            f"The scene “{snapshot.scene}” has no active camera, so there is nothing to render through.",
            _choose_one(snapshot.cameras, "Add a camera to the scene."),
        )
    engine = overrides.engine or snapshot.engine
    if engine not in ENGINES:
        yield _error(
            "no_engine",
            f"The render engine “{engine}” is not part of Blender, so no agent can render with it.",
            "Choose CYCLES, EEVEE or WORKBENCH.",
        )


def _check_frames(snapshot: SceneSnapshot, overrides: Overrides) -> Iterator[Problem]:
    if overrides.frames is None and snapshot.frame_start > snapshot.frame_end:
        yield _error(
            "no_frames",
            f"The scene “{snapshot.scene}” ends (frame {snapshot.frame_end}) before it starts "
            f"(frame {snapshot.frame_start}).",
            "Set its start and end frame, or say which frames to render.",
        )
        return
    try:
        frames = parse_frames(frames_text(snapshot, overrides))
    except FrameRangeError as error:
        yield _error("bad_frames", str(error), "")
        return
    outside = [frame for frame in frames if not snapshot.frame_start <= frame <= snapshot.frame_end]
    if outside:
        which = f"Frame {outside[0]} lies" if len(outside) == 1 else f"{len(outside)} of the frames lie"
        yield _warning(
            "outside_range",
            f"{which} outside the scene's own range {snapshot.frame_start}-{snapshot.frame_end}.",
            "Rendered all the same; check that something happens there.",
        )
    yield from _check_sound(snapshot, overrides, frames)


def _check_sound(snapshot: SceneSnapshot, overrides: Overrides, frames: FrameRange) -> Iterator[Problem]:
    if overrides.sound and not snapshot.has_sound:
        yield _warning(
            "no_sound", "The scene has nothing to hear between its first and last frame.", "The video has no sound."
        )
    wanted = snapshot.has_sound and overrides.sound is not False and wants_video(snapshot, overrides)
    if wanted and not frames.consecutive:
        yield (_error if overrides.sound else _warning)(
            "sound_gaps",
            f"The frames {frames_text(snapshot, overrides)} leave some out, so the scene's sound would not fit "
            "the video.",
            "Render consecutive frames, or without sound.",
        )
    if overrides.video and len(frames) == 1:
        yield Problem(Severity.INFO, "short_video", "The video is a single frame long.", "")


def _check_files(dependencies: Sequence[Dependency]) -> Iterator[Problem]:
    missing: dict[str, Dependency] = {}
    unbaked: dict[tuple[str, str, str | None], Dependency] = {}
    for dependency in dependencies:
        if dependency.refused is not None:
            yield _warning(
                "not_packed",
                f"{_described(dependency)} {dependency.refused}.",
                "The farm renders without it.",
            )
        elif dependency.unbaked:
            unbaked.setdefault((dependency.kind, dependency.user, dependency.owner), dependency)
        for path in dependency.missing:
            missing.setdefault(path, dependency)
    for path, dependency in list(missing.items())[:MOST_NAMED]:
        yield _warning(
            "missing_file",
            f"{_described(dependency)} needs {path}, which is not there.",
            "The farm renders without it, as Blender here would; File → External Data → Find Missing Files.",
        )
    if len(missing) > MOST_NAMED:
        yield _warning(
            "missing_file",
            f"Other files that are missing: {len(missing) - MOST_NAMED}.",
            "File → External Data → Report Missing Files lists them.",
        )
    for simulation in list(unbaked.values())[:MOST_NAMED]:
        yield _warning(
            "unbaked",
            f"{_described(simulation)} is not baked, and each computer of the farm begins amid the animation, where it "
            "does not know what came before.",
            _BAKING.get(simulation.kind, "Bake it (Physics → Cache → Bake), then submit again."),
        )
    if len(unbaked) > MOST_NAMED:
        yield _warning(
            "unbaked",
            f"Other simulations that are not baked: {len(unbaked) - MOST_NAMED}.",
            "Bake them, then submit again.",
        )


def _check_output(snapshot: SceneSnapshot, overrides: Overrides) -> Iterator[Problem]:
    chosen = output_format(snapshot, overrides)
    if snapshot.is_movie_format and overrides.format is None:
        yield Problem(
            Severity.INFO,
            "movie_format",
            f"The scene is set to write a movie; the farm renders its frames as {chosen} and makes an MP4 of them.",
            "",
        )
    elif overrides.format is None and snapshot.file_format != chosen:
        yield _warning(
            "other_format",
            f"The farm does not write {snapshot.file_format}; the frames are written as {chosen}.",
            "Set the scene's file format to PNG, JPEG or OpenEXR to choose.",
        )
    if snapshot.has_compositor_file_outputs:
        yield _warning(
            "file_outputs",
            "The compositor's File Output nodes write files of their own, which the farm does not bring back.",
            "Only the rendered frames come back.",
        )
    if snapshot.multiview:
        yield _warning(
            "multiview",
            "The scene renders several views; the farm brings back one file a frame.",
            "Set the views format to Stereo 3D to have both eyes in it.",
        )


def _has_view(snapshot: SceneSnapshot) -> bool:
    """Something says what each picture shows: a camera, or the sequencer's strips."""
    return snapshot.camera is not None or snapshot.uses_sequencer or any(marker.camera for marker in snapshot.markers)


def _described(dependency: Dependency) -> str:
    where = f" of the library {os.path.basename(dependency.owner)}" if dependency.owner else ""  # noqa: PTH119 - text
    return f"The {dependency.kind} “{dependency.user}”{where}"


def _choose_one(names: Sequence[str], otherwise: str) -> str:
    if not names:
        return otherwise
    return f"Choose one of: {', '.join(names)}."


def _version(version: tuple[int, int]) -> str:
    return ".".join(str(part) for part in version)
