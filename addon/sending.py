"""From the open scene to a submission that is ready to start.  Runs in Blender's main thread; asks no network."""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import bpy

from .connection import Connection
from .dependencies import find_dependencies
from .digest_cache import usual_place
from .pack_plan import plan_pack
from .preflight import Problem, Severity, check
from .results import safe_name
from .scene_reader import read_scene
from .snapshot import Dependency, SceneSnapshot
from .submission import Overrides, build_request
from .uploader import Submission


@dataclass(frozen=True)
class CheckedScene:
    """A scene as it was at one moment, and what the preflight found."""

    snapshot: SceneSnapshot
    dependencies: tuple[Dependency, ...]
    overrides: Overrides
    problems: tuple[Problem, ...]

    @property
    def title(self) -> str:
        """What the job will be called."""
        return self.overrides.name or self.snapshot.title

    def is_about(self, scene: bpy.types.Scene) -> bool:
        """It was this scene of this file that was looked at."""
        return (self.snapshot.blend_path, self.snapshot.scene) == (bpy.data.filepath, scene.name)

    def problems_of(self, severity: Severity) -> list[Problem]:
        """Return the problems of one severity."""
        return [problem for problem in self.problems if problem.severity is severity]


def check_scene(scene: bpy.types.Scene, change: Callable[[Overrides], Overrides] | None = None) -> CheckedScene:
    """Read a scene and look for problems.

    ``change`` is given what the artist has set for the farm, and returns what is wanted instead.
    """
    snapshot = read_scene(scene)
    dependencies = tuple(find_dependencies())
    overrides = _overrides(scene.renderfarm)
    if change is not None:
        overrides = change(overrides)
    return CheckedScene(snapshot, dependencies, overrides, tuple(check(snapshot, dependencies, overrides)))


def prepare(checked: CheckedScene, farm: Connection) -> Submission:
    """Save a copy of the scene as it is now, and return its submission; the open file is neither saved nor changed.

    Raises:
        PackError: a file that cannot be packed.
        RuntimeError: Blender could not write the copy; the text says why.
        OSError: there is no room for temporary files.
    """
    folder = Path(tempfile.mkdtemp(prefix="renderfarm-"))
    try:
        copy = folder / f"{safe_name(checked.snapshot.title)}.blend"
        # Relative paths stay as they are: they count from the artist's file, and the pack keeps them working; a file
        # that was never saved has none.  Uncompressed, a small change to the scene changes little of the file.
        bpy.ops.wm.save_as_mainfile(filepath=str(copy), copy=True, relative_remap=False, compress=False)
        original = checked.snapshot.blend_path or str(copy)
        plan = plan_pack(str(copy), original, checked.dependencies)
        request = build_request(
            checked.snapshot,
            checked.overrides,
            blender=bpy.app.version[:2],
            warnings=[str(problem) for problem in checked.problems_of(Severity.WARNING)],
        )
        return Submission(farm.client(), plan, request, temporary=folder, digests=usual_place())
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _overrides(settings: bpy.types.PropertyGroup) -> Overrides:
    return Overrides(
        name=settings.job_name.strip() or None,
        frames=settings.frames.strip() or None,
        samples=settings.samples if settings.use_samples else None,
        percentage=settings.percentage if settings.use_percentage else None,
        # Left open, a single frame makes no video.
        video=None if settings.video else False,
        priority=settings.priority,
    )
