"""From a .blend to its pictures and its film, through real processes and real Blender, as a user would do it."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import pytest

from tests.e2e.blender_scripts import make_scene, render_locally
from tests.e2e.farm import Farm, running_farm
from tests.e2e.pictures import assert_same_pixels

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("e2e-main")]


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    with running_farm(tmp_path_factory.mktemp("farm"), "ada", "bob") as farm:
        yield farm
        print(farm.logs())  # noqa: T201 - shown by pytest only when something failed


def film_facts(film: Path) -> tuple[int, float, str]:
    """Return a film's number of pictures, its length in seconds and ffmpeg's description of its streams."""
    frames, seconds = imageio_ffmpeg.count_frames_and_secs(str(film))
    described = subprocess.run(
        [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-i", str(film)], capture_output=True, text=True, check=False
    )
    return frames, seconds, described.stderr


def test_an_animation_becomes_frames_and_a_film_with_sound(farm: Farm, tmp_path: Path) -> None:
    blend = make_scene(tmp_path / "scene", frames=[1, 24], sound=True)
    before = {path: path.read_bytes() for path in blend.parent.rglob("*") if path.is_file()}

    done = farm.json("submit", str(blend), "--wait", "--output", str(tmp_path / "out"))

    assert done["state"] == "completed"
    assert done["finished"] == done["frame_count"] == 24
    frames = sorted((tmp_path / "out").glob("*.png"))
    assert [frame.name for frame in frames] == [f"{number:04}.png" for number in range(1, 25)]
    oracle = render_locally(blend, tmp_path / "local", [1, 12, 24])
    for local in oracle:
        assert_same_pixels(tmp_path / "out" / local.name, local)
    [film] = (tmp_path / "out").glob("*.mp4")
    count, seconds, streams = film_facts(film)
    assert count == 24
    assert seconds == pytest.approx(1.0, abs=0.05)
    assert "h264" in streams
    assert "yuv420p" in streams
    assert "24 fps" in streams
    assert "Audio: aac" in streams
    after = {path: path.read_bytes() for path in blend.parent.rglob("*") if path.is_file()}
    assert after == before, "submitting changed the artist's files"


@pytest.mark.parametrize(
    "image_settings",
    [
        {"file_format": "PNG", "color_mode": "RGBA", "color_depth": "16"},
        {"file_format": "PNG", "color_mode": "BW", "color_depth": "8"},
        {"file_format": "JPEG", "color_mode": "RGB", "quality": 77},
        {"file_format": "OPEN_EXR", "color_mode": "RGBA", "color_depth": "32", "exr_codec": "ZIP"},
        {"file_format": "OPEN_EXR", "color_mode": "RGB", "color_depth": "16", "exr_codec": "DWAA"},
        {"file_format": "OPEN_EXR_MULTILAYER", "color_depth": "16", "exr_codec": "ZIP"},
    ],
    ids=["png16", "png-grey", "jpeg", "exr-float", "exr-half-dwaa", "exr-multilayer"],
)
def test_the_scenes_own_format_is_kept_to_the_last_bit(
    farm: Farm, tmp_path: Path, image_settings: dict[str, Any]
) -> None:
    blend = make_scene(tmp_path / "scene", frames=[3, 4], image_settings=image_settings)

    farm.json("submit", str(blend), "--no-video", "--wait", "--output", str(tmp_path / "out"))

    for local in render_locally(blend, tmp_path / "local", [3, 4]):
        assert_same_pixels(tmp_path / "out" / local.name, local)


def test_overrides_are_applied_as_blender_would_apply_them(farm: Farm, tmp_path: Path) -> None:
    blend = make_scene(tmp_path / "scene", frames=[1, 9], compress=True)

    done = farm.json(
        "submit", str(blend), "--frames", "2-8:3", "--percent", "50", "--samples", "5", "--format", "OPEN_EXR",
        "--video", "--wait", "--output", str(tmp_path / "out"),
    )  # fmt: skip

    assert done["frame_count"] == 3
    oracle = render_locally(blend, tmp_path / "local", [2, 5, 8], percentage=50, samples=5, format="OPEN_EXR")
    assert [path.name for path in oracle] == ["0002.exr", "0005.exr", "0008.exr"]
    for local in oracle:
        assert_same_pixels(tmp_path / "out" / local.name, local)
    [film] = (tmp_path / "out").glob("*.mp4")
    assert film_facts(film)[0] == 3


def test_a_job_can_be_followed_and_fetched_later(farm: Farm, tmp_path: Path) -> None:
    blend = make_scene(tmp_path / "scene")

    submitted = farm.json("submit", str(blend), "--frames", "-1-1", "--name", "Later", "--priority", "80")
    waited = farm.json("wait", str(submitted["id"]))
    farm.json("download", str(submitted["id"]), "--output", str(tmp_path / "out"))

    assert waited["state"] == "completed"
    assert waited["name"] == "Later"
    names = sorted(path.name for path in (tmp_path / "out").iterdir() if path.suffix == ".png")
    assert names == ["-0001.png", "0000.png", "0001.png"]
    assert submitted["id"] in [job["id"] for job in farm.json("jobs")["items"]]
