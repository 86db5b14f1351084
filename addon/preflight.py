"""What stands in the way of a render, or will look different on the farm, in the artist's words (pure)."""

import enum
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .farm_facts import FarmFacts
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

#: Blender's Bake All Dynamics leaves these out.
_NOT_AT_ONCE = ("fluid simulation", "geometry nodes bake")

#: What the coordinator takes for an e-mail address.
_ADDRESS = re.compile(r"[^@\s<>,;:\"()]{1,64}@[A-Za-z0-9.-]{1,190}")

#: Scenes with more bytes than this take long to send, or are larger than their owner knows.
HUGE_BYTES = 8 * 1024**3


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
    fix: str = ""
    """What :mod:`fixes` calls that which mends it; empty: nothing does at a push of a button."""

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


def check(
    snapshot: SceneSnapshot,
    dependencies: Sequence[Dependency],
    overrides: Overrides,
    farm: FarmFacts | None = None,
    *,
    bytes_on_disk: int = 0,
) -> list[Problem]:
    """Return every problem of submitting the scene with these overrides, errors first.

    Args:
        snapshot: the scene.
        dependencies: the files it uses.
        overrides: what is wanted otherwise.
        farm: what the farm can do, when it has told.
        bytes_on_disk: of the scene and its files, each once, when they were measured.
    """
    problems = [
        *_check_choices(snapshot, overrides),
        *_check_frames(snapshot, overrides),
        *_check_files(dependencies),
        *_check_size(bytes_on_disk),
        *_check_scripts(snapshot, overrides),
        *_check_output(snapshot, overrides),
        *(_check_farm(snapshot, overrides, farm) if farm is not None and farm.agents else ()),
    ]
    order = list(Severity)
    return sorted(problems, key=lambda problem: order.index(problem.severity))


def _error(code: str, message: str, hint: str, fix: str = "") -> Problem:
    return Problem(Severity.ERROR, code, message, hint, fix)


def _warning(code: str, message: str, hint: str, fix: str = "") -> Problem:
    return Problem(Severity.WARNING, code, message, hint, fix)


def _info(code: str, message: str, hint: str = "", fix: str = "") -> Problem:
    return Problem(Severity.INFO, code, message, hint, fix)


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
            "scene_camera",
        )
    elif overrides.camera is None and not _has_view(snapshot):
        yield _error(
            "no_camera",
            f"The scene “{snapshot.scene}” has no active camera, so there is nothing to render through.",
            _choose_one(snapshot.cameras, "Add a camera to the scene."),
            "use_camera" if snapshot.cameras else "add_camera",
        )
    bound = sorted({marker.camera for marker in snapshot.markers if marker.camera is not None})
    if overrides.camera is not None and bound:
        yield _info("bound_cameras", f"Markers switch cameras; all frames are rendered through “{overrides.camera}”.")
    elif len(bound) > 1:
        yield _info("bound_cameras", f"Markers switch between the cameras {', '.join(bound)}, as they do here.")
    yield from _check_layers(snapshot, overrides)
    for address in overrides.farm.get("notify", ()):
        if not _ADDRESS.fullmatch(address):
            yield _error("bad_address", f"“{address}” is no e-mail address.", "Correct it under Farm, or clear it.")
    engine = overrides.engine or snapshot.engine
    if engine not in ENGINES:
        yield _error(
            "no_engine",
            f"The render engine “{engine}” is not part of Blender, so no agent can render with it.",
            "Choose Cycles, EEVEE or Workbench.",
        )


def _check_layers(snapshot: SceneSnapshot, overrides: Overrides) -> Iterator[Problem]:
    unknown = [name for name in overrides.view_layers or () if name not in snapshot.view_layers]
    if unknown:
        yield _error(
            "no_layer",
            f"The scene “{snapshot.scene}” has no view layer named “{unknown[0]}”.",
            _choose_one(snapshot.view_layers, ""),
            "all_layers",
        )
        return
    if overrides.view_layers == ():
        yield _error("no_layer", "No view layer is chosen to be rendered.", "Choose one at least.", "all_layers")
        return
    rendered = overrides.view_layers or snapshot.rendered_layers or snapshot.uses_sequencer
    if snapshot.view_layers and not rendered:
        yield _error(
            "no_layer",
            f"No view layer of the scene “{snapshot.scene}” is set to be rendered.",
            "Turn Use for Rendering on in one of them.",
            "use_layers",
        )


def _check_frames(snapshot: SceneSnapshot, overrides: Overrides) -> Iterator[Problem]:
    if overrides.frames is None and snapshot.frame_start > snapshot.frame_end:
        yield _error(
            "no_frames",
            f"The scene “{snapshot.scene}” ends (frame {snapshot.frame_end}) before it starts "
            f"(frame {snapshot.frame_start}).",
            "Set its start and end frame, or say which frames to render.",
            "swap_range",
        )
        return
    try:
        frames = parse_frames(frames_text(snapshot, overrides))
    except FrameRangeError as error:
        yield _error("bad_frames", str(error), "", "scene_frames")
        return
    outside = [frame for frame in frames if not snapshot.frame_start <= frame <= snapshot.frame_end]
    if outside:
        which = f"Frame {outside[0]} lies" if len(outside) == 1 else f"{len(outside)} of the frames lie"
        yield _warning(
            "outside_range",
            f"{which} outside the scene's own range {snapshot.frame_start}-{snapshot.frame_end}.",
            "Rendered all the same; check that something happens there.",
            "scene_frames",
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
            "no_sound",
        )
    if overrides.video and len(frames) == 1:
        yield _info("short_video", "The video is a single frame long.")


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
            "find_files",
        )
    if len(missing) > MOST_NAMED:
        yield _warning(
            "missing_file",
            f"Other files that are missing: {len(missing) - MOST_NAMED}.",
            "File → External Data → Report Missing Files lists them.",
            "find_files",
        )
    for simulation in list(unbaked.values())[:MOST_NAMED]:
        yield _warning(
            "unbaked",
            f"{_described(simulation)} is not baked, and each computer of the farm begins amid the animation, where it "
            "does not know what came before.",
            _BAKING.get(simulation.kind, "Bake it (Physics → Cache → Bake), then submit again."),
            "" if simulation.kind in _NOT_AT_ONCE else "bake",
        )
    if len(unbaked) > MOST_NAMED:
        yield _warning(
            "unbaked",
            f"Other simulations that are not baked: {len(unbaked) - MOST_NAMED}.",
            "Bake them, then submit again.",
        )


def _check_size(size: int) -> Iterator[Problem]:
    if size > HUGE_BYTES:
        yield _warning(
            "huge",
            f"The scene and its files have {size / 1024**3:.0f} GB, which takes long to send the first time.",
            "What the farm has already is not sent again.",
        )


def _check_scripts(snapshot: SceneSnapshot, overrides: Overrides) -> Iterator[Problem]:
    if snapshot.scripts and not overrides.allow_scripts:
        verb = "needs" if len(snapshot.scripts) == 1 else "need"
        yield _warning(
            "scripts",
            f"Python in the file is not run on the farm, but {_listed(snapshot.scripts)} {verb} it.",
            "What it moves keeps its last value.",
            "allow_scripts",
        )


def _check_output(snapshot: SceneSnapshot, overrides: Overrides) -> Iterator[Problem]:
    chosen = output_format(snapshot, overrides)
    if snapshot.is_movie_format and overrides.format is None:
        yield _info(
            "movie_format",
            f"The scene is set to write a movie; the farm renders its frames as {chosen} and makes an MP4 of them.",
        )
    elif overrides.format is None and snapshot.file_format != chosen:
        yield _warning(
            "other_format",
            f"The farm does not write {snapshot.file_format}; the frames are written as {chosen}.",
            "Choose PNG, JPEG or OpenEXR to say which you want.",
            "choose_format",
        )
    if snapshot.has_compositor_file_outputs:
        yield _info(
            "file_outputs", "What the compositor's File Output nodes write comes back in a folder beside each frame."
        )
    if snapshot.views_format == "INDIVIDUAL":
        yield _info(
            "views",
            "The frames and the film are those of the first view; the other ones come back in a folder beside each.",
        )
    elif snapshot.views_format == "MULTIVIEW":
        yield _error(
            "multiview",
            "The scene writes all of its views as layers of one file, which the farm does not look into.",
            "Set the views format to Stereo 3D to have both eyes in one picture, or to Individual for a file of each.",
            "stereo_3d",
        )


def _check_farm(snapshot: SceneSnapshot, overrides: Overrides, farm: FarmFacts) -> Iterator[Problem]:
    """Compare what the scene needs with what the known agents have."""
    if farm.newest_blender is not None and snapshot.blender_version > farm.newest_blender:
        newer, newest = _version(snapshot.blender_version), _version(farm.newest_blender)
        yield _error(
            "farm_is_older",
            f"This is Blender {newer}, and the newest one on the farm is {newest}, which loses what it does not know.",
            f"Submit it with Blender {newest}, or have Blender {newer} installed on an agent.",
        )
    if overrides.device is not None and overrides.device not in farm.devices:
        yield _warning(
            "no_device",
            f"No agent renders with {overrides.device}, so the job waits until one does.",
            f"The agents have: {', '.join(sorted(farm.devices - {'GPU'}))}.",
            "any_device",
        )
    denoises = snapshot.denoiser is not None and (overrides.engine or snapshot.engine) == "CYCLES"
    if denoises and farm.denoisers and snapshot.denoiser not in farm.denoisers:
        yield _warning(
            "no_denoiser",
            f"No agent has the denoiser {snapshot.denoiser}, so that frames may fail or stay noisy.",
            "Choose another in Render Properties → Sampling.",
            "open_image_denoise" if "OPENIMAGEDENOISE" in farm.denoisers else "no_denoiser",
        )
    if overrides.allow_scripts and not farm.may_run_scripts:
        yield _error(
            "no_scripts",
            f"Jobs of {farm.user} may not run the Python in their files.",
            f"Have whoever runs the farm allow it: renderfarm allow-scripts “{farm.user}”.",
            "no_scripts",
        )
    pool = (overrides.farm.get("needs") or {}).get("pool")
    if pool and pool not in farm.pools:
        yield _warning(
            "no_pool",
            f"No agent is in the pool “{pool}”, so the job waits until one is.",
            _choose_one(farm.pools, "The farm has no pools."),
            "any_pool",
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


def _listed(names: Sequence[str]) -> str:
    if len(names) > MOST_NAMED:
        return f"{', '.join(names[:MOST_NAMED])} and {len(names) - MOST_NAMED} more"
    return ", ".join(names)


def _version(version: tuple[int, int]) -> str:
    return ".".join(str(part) for part in version)
