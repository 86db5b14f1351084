"""From the open scene to a submission that is ready to start.  Runs in Blender's main thread; asks no network.

Looking at a scene comes in small steps, so that Blender draws and hears the artist between them.
"""

import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import bpy

from .client import FarmClient, FarmError
from .connection import Connection
from .dependencies import walk_dependencies
from .destinations import Destination, remember
from .digest_cache import usual_place
from .farm_facts import FarmFacts
from .output_paths import destination_of
from .pack_plan import PackError, PackPlan, plan_pack
from .preflight import Problem, Severity, check
from .results import safe_name
from .scene_reader import read_scene
from .snapshot import Dependency, SceneSnapshot
from .spellings import Spellings
from .submission import Overrides, build_request
from .uploader import Submission
from .wishes import cameras_to_render, read_wishes

#: Files whose sizes are looked at in one step.
_FILES_AT_ONCE = 100


@dataclass(frozen=True)
class CheckedScene:
    """A scene as it was at one moment, and what the preflight found."""

    snapshot: SceneSnapshot
    dependencies: tuple[Dependency, ...]
    overrides: Overrides
    problems: tuple[Problem, ...]
    cameras: tuple[str, ...] = ()
    """Those that get a job of their own each; empty: a single job."""

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


#: Changes what the artist has set for the farm into what is wanted.
Change = Callable[[Overrides], Overrides]


def checking(
    scene: bpy.types.Scene, change: Change | None = None, facts: FarmFacts | None = None
) -> Generator[str, None, CheckedScene]:
    """Look at a scene in small steps: yield what is being done, return what was found.

    ``scene`` is only touched in the first step; ``facts`` is what the farm can do, when it has told.
    """
    yield "Reading the scene"
    snapshot = read_scene(scene)
    cameras = cameras_to_render(scene)
    overrides = read_wishes(scene, facts)
    if change is not None:
        overrides = change(overrides)
    walk = walk_dependencies()
    while True:
        try:
            next(walk)
        except StopIteration as end:
            dependencies: tuple[Dependency, ...] = tuple(end.value)
            break
        yield "Looking for files"
    # The .blend as it was last saved stands for the copy; what several data-blocks name is sent once.
    size = _size(snapshot.blend_path) if snapshot.blend_path else 0
    files = list(dict.fromkeys(file for dependency in dependencies for file in dependency.files))
    for start in range(0, len(files), _FILES_AT_ONCE):
        yield "Looking at files"
        size += sum(_size(file) for file in files[start : start + _FILES_AT_ONCE])
    wanted = replace(overrides, camera=cameras[0]) if cameras else overrides
    problems = check(snapshot, dependencies, wanted, facts, bytes_on_disk=size)
    return CheckedScene(snapshot, dependencies, overrides, tuple(problems), cameras)


def check_scene(scene: bpy.types.Scene, change: Change | None = None, facts: FarmFacts | None = None) -> CheckedScene:
    """Look at a scene at once."""
    steps = checking(scene, change, facts)
    try:
        while True:
            next(steps)
    except StopIteration as end:
        checked: CheckedScene = end.value
        return checked


class SceneSubmission(Submission):
    """The submission of a scene: one job, or one for each of several cameras, all of the same pack."""

    def __init__(
        self,
        client: FarmClient,
        make_plan: Callable[[], PackPlan],
        requests: Sequence[Mapping[str, Any]],
        *,
        temporary: Path,
        digests: Path | None,
        destinations: Sequence[Destination | None] = (),
    ) -> None:
        super().__init__(client, PackPlan("", {}), requests[0], temporary=temporary, digests=digests)
        self.jobs: list[dict[str, Any]] = []
        """Those that were made."""
        self._make_plan = make_plan
        self._destinations = destinations
        self._others = [{**request, "submission": secrets.token_hex(16)} for request in requests[1:]]

    def _submit(self) -> dict[str, Any]:
        try:
            # In the thread, for it takes its time with ten thousand files.
            self._plan = self._make_plan()
        except PackError as error:
            raise FarmError("not_packed", str(error)) from error
        job = super()._submit()
        for made, destination in zip(self.jobs, self._destinations, strict=False):
            if destination is not None:
                remember(self._client.base_url, int(made["id"]), destination)
        return job

    def _create_job(self, request: Mapping[str, Any]) -> dict[str, Any]:
        first = super()._create_job(request)
        self.jobs = [first]
        for other in self._others:
            self.jobs.append(super()._create_job({**other, "pack": request["pack"]}))
        return first


def prepare(checked: CheckedScene, farm: Connection) -> SceneSubmission:
    """Save a copy of the scene as it is now, and return its submission; the open file is neither saved nor changed.

    Raises:
        RuntimeError: Blender could not write the copy; the text says why.
        OSError: there is no room for temporary files.
    """
    # Blender clears its own folder when it ends, whatever became of the submission.
    folder = Path(tempfile.mkdtemp(prefix="renderfarm-", dir=bpy.app.tempdir or None))
    try:
        copy = folder / f"{safe_name(checked.snapshot.title)}.blend"
        # Relative paths stay as they are: they count from the artist's file, and the pack keeps them working; a file
        # that was never saved has none.  Uncompressed, a small change to the scene changes little of the file.
        bpy.ops.wm.save_as_mainfile(filepath=str(copy), copy=True, relative_remap=False, compress=False)
        original = checked.snapshot.blend_path or str(copy)
        scene = bpy.data.scenes[checked.snapshot.scene]
        return SceneSubmission(
            farm.client(),
            lambda: plan_pack(str(copy), Spellings().of(original) or original, checked.dependencies),
            _requests(checked),
            temporary=folder,
            digests=usual_place(),
            destinations=[destination_of(scene, camera) for camera in checked.cameras or ("",)],
        )
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _requests(checked: CheckedScene) -> list[dict[str, Any]]:
    wanted = [
        replace(checked.overrides, camera=camera, name=f"{checked.title} · {camera}") for camera in checked.cameras
    ]
    warnings = [str(problem) for problem in checked.problems_of(Severity.WARNING)]
    return [
        build_request(checked.snapshot, overrides, blender=bpy.app.version[:2], warnings=warnings)
        for overrides in wanted or [checked.overrides]
    ]


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116 - thousands of plain paths
    except OSError:
        return 0
