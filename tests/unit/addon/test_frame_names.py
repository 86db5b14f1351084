"""Frames get the names that Blender itself gives them."""

import pytest

from addon.frame_names import fill_templates, frame_path

#: What ``RenderSettings.frame_path`` of Blender 4.5.15 answered.
BLENDERS = [
    ("/o/frame_", 1, ".png", True, "/o/frame_0001.png"),
    ("/o/frame_", 12345, ".png", True, "/o/frame_12345.png"),
    ("/o/frame_", -13, ".png", True, "/o/frame_-0013.png"),
    ("/o/", 0, ".png", True, "/o/0000.png"),
    ("/o/IMAGE_###", 1, ".jpg", True, "/o/IMAGE_001.jpg"),
    ("/o/IMAGE_###_VER_131", 1, ".png", True, "/o/IMAGE_001_VER_131.png"),
    ("/o/##_#####", 1, ".exr", True, "/o/##_00001.exr"),
    ("/o/#####_###", 1, ".png", True, "/o/#####_001.png"),
    ("/o/render.####.png", 1, ".jpg", True, "/o/render.0001.jpg"),
    ("/o/render.####.png", 1, ".png", False, "/o/render.0001.png"),
    ("/o/a.jpg", 1, ".png", True, "/o/a.jpg0001.png"),
    ("/o/f_####.exr", 1, ".png", True, "/o/f_0001.png"),
    ("/o/#", 7, ".png", True, "/o/7.png"),
    ("/o/dir_##/f_", 1, ".png", True, "/o/dir_##/f_0001.png"),
    ("/o/name.v2_####", 1, ".png", True, "/o/name.v2_0001.png"),
    ("/o/ñø_####", 1, ".png", True, "/o/ñø_0001.png"),
    ("/o/50%_####", 1, ".png", False, "/o/50%_0001"),
    ("/o/frame_", 1, ".png", False, "/o/frame_0001"),
]


@pytest.mark.parametrize(("pattern", "frame", "ending", "use_ending", "path"), BLENDERS)
def test_blenders_own_names(pattern: str, frame: int, ending: str, use_ending: bool, path: str) -> None:
    assert frame_path(pattern, frame, ending, use_ending=use_ending) == path


def test_another_spelling_of_the_same_ending_stays() -> None:
    assert frame_path("/o/f_####.jpeg", 1, ".jpg") == "/o/f_0001.jpeg"


def test_templates_are_filled_in_where_they_are_known() -> None:
    values = {"blend_name": "shot", "scene_name": "Scene"}
    assert fill_templates("/o/{blend_name}/{{x}}_####", values) == "/o/shot/{x}_####"
    assert fill_templates("/o/{camera_name}", values) is None
    assert fill_templates("/o/{frame:###}", values) is None
