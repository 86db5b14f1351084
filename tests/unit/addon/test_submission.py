"""A scene's settings and the person's wishes become a job request."""

from typing import Any

import pytest

from addon.snapshot import Border
from addon.submission import Overrides, build_request, finished_size
from tests.unit.addon.snapshots import scene


def request(changes: dict[str, Any] | None = None, **wishes: Any) -> dict[str, Any]:
    return build_request(scene(**(changes or {})), Overrides(**wishes), blender=(4, 2))


def test_a_plain_scene_is_sent_as_it_is() -> None:
    assert request() == {
        "name": "shot",
        "frames": "1-24",
        "priority": 50,
        "video": True,
        "sound": False,
        "blender": [4, 2],
        "max_retries": 3,
        "render": {
            "scene": "Scene",
            "camera": None,
            "engine": None,
            "samples": None,
            "resolution": None,
            "percentage": None,
            "view_layers": None,
            "persistent_data": True,
            "allow_scripts": False,
        },
        "output": {
            "format": "PNG",
            "width": 1920,
            "height": 1080,
            "fps": 24.0,
            "display": False,
            "color_mode": "RGBA",
            "color_depth": 8,
        },
        "warnings": [],
    }


@pytest.mark.parametrize(
    ("scene", "wish", "mode", "depth"),
    [
        ({"file_format": "OPEN_EXR", "color_depth": "32"}, None, "RGBA", 32),
        ({"file_format": "JPEG", "color_mode": "BW"}, None, "BW", 8),
        ({"color_mode": "RGB", "color_depth": "16"}, None, "RGB", 16),
        ({"color_depth": "16", "uses_sequencer": True}, None, "RGBA", None),
        ({"color_depth": "16", "multiview": True}, None, "RGBA", None),
        ({}, "OPEN_EXR", None, None),
        ({"file_format": "OPEN_EXR_MULTILAYER", "color_depth": "16"}, None, None, None),
        ({"file_format": "TIFF"}, None, None, None),
    ],
)
def test_what_pixels_must_be_is_told_where_the_scene_tells(
    scene: dict[str, Any], wish: str | None, mode: str | None, depth: int | None
) -> None:
    output = request(scene, format=wish)["output"]
    assert (output["color_mode"], output["color_depth"]) == (mode, depth)


def test_the_scenes_step_and_frame_rate_are_kept() -> None:
    made = request({"frame_step": 5, "fps": 30, "fps_base": 1.001})
    assert made["frames"] == "1-24:5"
    assert made["output"]["fps"] == pytest.approx(29.97003)


@pytest.mark.parametrize(
    ("own", "wish", "expected"),
    [
        ("JPEG", None, "JPEG"),
        ("OPEN_EXR", None, "OPEN_EXR"),
        ("FFMPEG", None, "PNG"),
        ("TIFF", None, "PNG"),
        ("OPEN_EXR_MULTILAYER", None, "OPEN_EXR_MULTILAYER"),
        ("HDR", None, "OPEN_EXR"),
        ("OPEN_EXR", "JPEG", "JPEG"),
    ],
)
def test_formats_the_farm_does_not_write_become_the_nearest(own: str, wish: str | None, expected: str) -> None:
    assert request({"file_format": own}, format=wish)["output"]["format"] == expected


@pytest.mark.parametrize("file_format", ["OPEN_EXR", "OPEN_EXR_MULTILAYER"])
def test_a_video_of_exr_frames_is_made_of_pictures_through_the_view_transform(file_format: str) -> None:
    assert request({"file_format": file_format})["output"]["display"] is True
    assert request({"file_format": file_format}, video=False)["output"]["display"] is False


@pytest.mark.parametrize(
    ("wishes", "video", "sound"),
    [
        ({}, True, True),
        ({"frames": "7"}, False, False),
        ({"frames": "7", "video": True}, True, True),
        ({"frames": "1-9:2"}, True, False),
        ({"frames": "1-3,4-9"}, True, True),
        ({"video": False}, False, False),
        ({"sound": False}, True, False),
    ],
)
def test_video_and_sound_unless_they_make_no_sense(wishes: dict[str, Any], video: bool, sound: bool) -> None:
    made = request({"has_sound": True}, **wishes)
    assert (made["video"], made["sound"]) == (video, sound)


@pytest.mark.parametrize(
    ("changes", "wishes", "size"),
    [
        ({}, {"percentage": 33}, (633, 356)),
        ({"percentage": 50}, {}, (960, 540)),
        ({"percentage": 50}, {"resolution": (101, 51)}, (50, 25)),
        ({"border": Border(min_x=0.25, max_x=0.75, min_y=0, max_y=1, crop=True)}, {}, (960, 1080)),
        ({"border": Border(min_x=0.25, max_x=0.75, min_y=0, max_y=1, crop=False)}, {}, (1920, 1080)),
        # In double precision 0.29 x 100 is a little less than 29; in Blender's single precision it is 29.
        ({"border": Border(min_x=0, max_x=0.29, min_y=0, max_y=1, crop=True)}, {"resolution": (100, 100)}, (29, 100)),
        ({"multiview": True}, {}, None),
    ],
)  # fmt: skip
def test_the_finished_size_is_blenders(
    changes: dict[str, Any], wishes: dict[str, Any], size: tuple[int, int] | None
) -> None:
    assert finished_size(scene(**changes), Overrides(**wishes)) == size


def test_names_and_warnings_fit_the_coordinator() -> None:
    made = build_request(scene(), Overrides(name="n" * 300), blender=(4, 2), warnings=["w" * 2000] * 101)
    assert len(made["name"]) == 200
    assert [len(warning) for warning in made["warnings"]] == [1000] * 100
    assert request({"blend_path": ""})["name"] == "Untitled"
