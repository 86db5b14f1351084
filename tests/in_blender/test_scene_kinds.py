"""However a scene sets its pictures up, the farm's are what Blender itself renders from the same file."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agent.blender.locate import Blender
from agent.blender.session import Session, SessionError
from agent.pictures import check_frame
from coordinator.media.layers import read_contents
from coordinator.protocol import ImageFormat, RenderSpec
from coordinator.protocol.pictures import Wanted
from coordinator.services.schemas import JobRequest
from tests.in_blender.as_stored import assert_same_pixels, picture_data
from tests.in_blender.blender import in_blender
from tests.in_blender.scene_kinds import MAKE, RENDER
from tests.in_blender.session_scenes import BLENDERS

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("submission")]

FRAMES = (1, 2)
EACH_EYE = "A file for each eye"

#: The scene's name, and the cameras that have a job of their own.
KINDS: dict[str, tuple[str, ...]] = {
    "First": (),
    "Second": (),
    "Every camera": ("Far", "Near of Every camera"),
    "One camera": (),
    "Markers": (),
    "View layers": (),
    "One view layer": (),
    "Passes of two of three view layers": (),
    "A view layer is off": (),
    "Only the view layer shown": (),
    "Side by side": (),
    "Top and bottom, squeezed": (),
    "Anaglyph in OpenEXR": (),
    EACH_EYE: (),
    "Border": (),
    "Border, cropped": (),
    "Freestyle": (),
    "Grease Pencil": (),
    "Strips without a camera": (),
    "A strip that shows a scene": (),
    "Border, cropped, of strips": (),
}


@dataclass
class Job:
    """What the add-on asked for, and what the farm made of it."""

    request: dict[str, Any]
    frames: list[Path] = field(default_factory=list)
    error: str = ""


@dataclass(frozen=True)
class Rendered:
    """All scenes of the file."""

    plain: Path
    """The folder of Blender's own pictures."""
    beside: Path
    """The folder of the pictures of other views than the first."""
    problems: dict[str, list[list[str]]]
    jobs: dict[str, list[Job]]


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    """Have Blender and the farm render every scene of one file: one process each."""
    folder = tmp_path_factory.mktemp("kinds")
    blend, plain = folder / "kinds.blend", folder / "plain"
    found = in_blender(MAKE + RENDER, folder, blend=str(blend), plain=str(plain))
    jobs = {name: [Job(request) for request in scene["requests"]] for name, scene in found.items()}
    asyncio.run(_render(BLENDERS[0], blend, folder, jobs))
    return Rendered(
        plain, folder / "extras" / "views", {name: scene["problems"] for name, scene in found.items()}, jobs
    )


async def _render(blender: Blender, blend: Path, folder: Path, jobs: dict[str, list[Job]]) -> None:
    session = await Session.start(blender, folder / "blender.log")
    try:
        await session.open(blend, {}, folder / "extras")
        for name, of_scene in jobs.items():
            for number, job in enumerate(of_scene):
                place = folder / "farm" / name / str(number)
                place.mkdir(parents=True)
                try:
                    await _render_job(session, place, job)
                except SessionError as error:
                    job.error = f"{error.code}: {error.message}"
    finally:
        await session.kill()


async def _render_job(session: Session, place: Path, job: Job) -> None:
    """As an agent's slot does it, the look at what was written included."""
    request = msgspec.convert({**job.request, "pack": "0" * 64}, JobRequest)
    output, image_format = request.output, ImageFormat(request.output.format)
    render = msgspec.convert(job.request["render"], RenderSpec, strict=False)
    configured = await session.configure(render, image_format, "CPU", 1)
    told = (configured.width, configured.height)
    asked = (output.width, output.height)
    size = next(((width, height) for width, height in (asked, told) if width and height), None)
    for frame in FRAMES:
        path = place / f"{frame:04}.{configured.extension}"
        display = place / f"display{frame}.png" if output.display else None
        await session.render(frame, path, None, display, lambda _: None)
        found = check_frame(path, Wanted(image_format, size, output.color_mode, output.color_depth))
        if display is not None:
            check_frame(display, Wanted(ImageFormat.PNG, (found.width, found.height), output.color_mode, 8))
        job.frames.append(path)


@pytest.mark.parametrize("name", KINDS)
def test_the_farms_pictures_are_blenders_own(rendered: Rendered, name: str) -> None:
    assert [problem for problem in rendered.problems[name] if problem[0] != "info"] == []
    cameras = KINDS[name] or ("",)
    jobs = rendered.jobs[name]
    assert [job.error for job in jobs] == [""] * len(cameras)
    for job, camera in zip(jobs, cameras, strict=True):
        assert [path.stem for path in job.frames] == [f"{frame:04}" for frame in FRAMES]
        for path in job.frames:
            eye = "_L" if name == EACH_EYE else ""
            assert_same_pixels(path, rendered.plain / name / camera / f"{path.stem}{eye}{path.suffix}")


def test_the_scenes_differ(rendered: Rendered) -> None:
    """The comparison would say little if they were alike."""
    firsts = [path for jobs in rendered.jobs.values() for job in jobs for path in job.frames[:1]]
    pictures = [tuple(picture_data(path)) for path in firsts if path.suffix == ".png"]
    assert len(set(pictures)) == len(pictures) == len(KINDS) - 1  # two are OpenEXR files, and one has two jobs


def test_every_pass_of_the_chosen_view_layers_is_in_one_file(rendered: Rendered) -> None:
    (job,) = rendered.jobs["Passes of two of three view layers"]
    names = {layer.name: layer.channels for layer in read_contents(job.frames[0], exr=True).layers}
    assert names["Left.Combined"] == names["Right.Combined"] == ("R", "G", "B", "A")
    assert names["Left.Normal"] == ("X", "Y", "Z")
    assert {name.partition(".")[0] for name in names} == {"Left", "Right"}


def test_the_other_eye_comes_beside_the_frame(rendered: Rendered) -> None:
    found = rendered.problems[EACH_EYE]
    assert [(severity, code) for severity, code, _ in found] == [("info", "views")]
    assert sorted(path.name for path in rendered.beside.iterdir()) == ["0001_R.png", "0002_R.png"]
    for path in rendered.beside.iterdir():
        assert_same_pixels(path, rendered.plain / EACH_EYE / path.name)
