"""What people get wrong: one sentence that helps, an exit code that tells, and no half-made job left behind."""

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.blender_scripts import make_scene
from tests.e2e.farm import Farm, running_farm

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("e2e-main")]


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    with running_farm(tmp_path_factory.mktemp("farm"), "ada") as farm:
        yield farm
        print(farm.logs())  # noqa: T201 - shown by pytest only when something failed


@pytest.fixture(scope="module")
def good_scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_scene(tmp_path_factory.mktemp("scene"))


@pytest.fixture
def blend(good_scene: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(good_scene.parent, tmp_path / "scene")) / good_scene.name


def assert_refused(farm: Farm, *arguments: str, words: list[str], **how: str) -> None:
    """The command must fail with a message that has ``words``, be short, show no trace, and leave no job."""
    before = farm.json("jobs")["items"]
    done = farm.run(*arguments, **how)
    said = done.stderr.strip()
    assert done.returncode not in (0, -6, -11), said
    for word in words:
        assert word.lower() in said.lower(), said
    assert "Traceback" not in said
    assert len(said.splitlines()) <= 4, said
    assert farm.json("jobs")["items"] == before


def test_a_file_that_is_no_blend(farm: Farm, tmp_path: Path) -> None:
    (tmp_path / "notes.blend").write_text("shopping list")
    assert_refused(farm, "submit", str(tmp_path / "notes.blend"), words=["notes.blend", "not a Blender file"])


def test_a_file_that_is_not_there(farm: Farm, tmp_path: Path) -> None:
    assert_refused(farm, "submit", str(tmp_path / "nowhere.blend"), words=["nowhere.blend"])


def test_a_truncated_file(farm: Farm, blend: Path) -> None:
    blend.write_bytes(blend.read_bytes()[: blend.stat().st_size // 2])
    assert_refused(farm, "submit", str(blend), words=["shot.blend", "damaged"])


def test_a_file_from_a_newer_blender(farm: Farm, blend: Path) -> None:
    data = blend.read_bytes()
    assert data.startswith(b"BLENDER")
    blend.write_bytes(data[:9] + b"499" + data[12:])
    assert_refused(farm, "submit", str(blend), words=["4.99"])


def test_a_scene_without_a_camera(farm: Farm, tmp_path: Path) -> None:
    blend = make_scene(tmp_path / "blind", camera=False)
    assert_refused(farm, "submit", str(blend), words=["camera"])


@pytest.mark.parametrize(("frames", "words"), [("1-", ["1-"]), ("5-1", ["5-1", "5-1:-1"]), ("1-5,3-8", ["3"])])
def test_frames_that_make_no_sense(farm: Farm, blend: Path, frames: str, words: list[str]) -> None:
    assert_refused(farm, "submit", str(blend), "--frames", frames, words=words)


def test_a_scene_that_is_not_in_the_file(farm: Farm, blend: Path) -> None:
    assert_refused(farm, "submit", str(blend), "--scene", "Epilogue", words=["Epilogue", "Shot"])


def test_a_coordinator_that_is_not_there(farm: Farm, blend: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    assert_refused(farm, "submit", str(blend), words=[url, "coordinator"], url=url)


def test_a_wrong_token(farm: Farm, blend: Path) -> None:
    assert_refused(farm, "submit", str(blend), words=["token"], token="rf_admin_wrong")


def test_a_join_token_where_an_admin_token_belongs(farm: Farm, blend: Path) -> None:
    assert_refused(farm, "submit", str(blend), words=["token"], token="rf_join_" + "j" * 43)
