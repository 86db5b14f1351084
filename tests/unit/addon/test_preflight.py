"""What is found before anything is sent, and in which words."""

from typing import Any

import pytest

from addon.preflight import Severity, check
from addon.snapshot import Marker
from addon.submission import Overrides
from tests.unit.addon.snapshots import scene, texture


def found(changes: dict[str, Any], *dependencies: Any, **wishes: Any) -> list[tuple[str, str]]:
    return [
        (problem.severity.value, problem.code) for problem in check(scene(**changes), dependencies, Overrides(**wishes))
    ]


def test_a_good_scene_has_no_problem() -> None:
    assert found({}, texture("//w.png", "/proj/w.png")) == []


@pytest.mark.parametrize(
    ("changes", "wishes", "problem"),
    [
        ({"camera": None}, {}, ("error", "no_camera")),
        ({}, {"camera": "Drone"}, ("error", "no_camera")),
        ({"engine": "LUXCORE"}, {}, ("error", "no_engine")),
        ({}, {"engine": "OCTANE"}, ("error", "no_engine")),
        ({"frame_start": 9, "frame_end": 3}, {}, ("error", "no_frames")),
        ({}, {"frames": "1-"}, ("error", "bad_frames")),
        ({"file_version": (5, 1)}, {}, ("error", "newer_file")),
        ({"has_sound": True}, {"frames": "1,3", "sound": True}, ("error", "sound_gaps")),
        ({"has_sound": True}, {"frames": "1,3"}, ("warning", "sound_gaps")),
        ({}, {"sound": True}, ("warning", "no_sound")),
        ({}, {"frames": "20-30"}, ("warning", "outside_range")),
        ({"file_format": "TIFF"}, {}, ("warning", "other_format")),
        ({"has_compositor_file_outputs": True}, {}, ("info", "file_outputs")),
        ({"multiview": True, "views_format": "INDIVIDUAL"}, {}, ("info", "views")),
        ({"multiview": True, "views_format": "MULTIVIEW"}, {}, ("error", "multiview")),
        ({"scripts": ("the driver of “Rig”",)}, {}, ("warning", "scripts")),
        ({"view_layers": ("A", "B"), "rendered_layers": ()}, {}, ("error", "no_layer")),
        ({"view_layers": ("A",), "rendered_layers": ("A",)}, {"view_layers": ("C",)}, ("error", "no_layer")),
        ({"view_layers": ("A",), "rendered_layers": ("A",)}, {"view_layers": ()}, ("error", "no_layer")),
        (
            {"markers": (Marker(frame=1, name="", camera="Camera"), Marker(frame=9, name="", camera="Top"))},
            {},
            ("info", "bound_cameras"),
        ),
        ({"file_format": "FFMPEG", "is_movie_format": True}, {}, ("info", "movie_format")),
        ({}, {"frames": "3", "video": True}, ("info", "short_video")),
        ({}, {"farm": {"notify": ["ana at example.com"]}}, ("error", "bad_address")),
    ],
)
def test_each_problem_is_found(changes: dict[str, Any], wishes: dict[str, Any], problem: tuple[str, str]) -> None:
    assert found(changes, **wishes) == [problem]


@pytest.mark.parametrize(
    "changes",
    [
        {"camera": None, "markers": (Marker(frame=1, name="F_01", camera="Camera"),)},
        {"camera": None, "uses_sequencer": True},
    ],
)
def test_other_things_than_the_active_camera_can_say_what_is_seen(changes: dict[str, Any]) -> None:
    assert found(changes) == []


@pytest.mark.parametrize(
    ("changes", "wishes"),
    [
        ({"frame_start": 9, "frame_end": 3}, {"frames": "3-9"}),
        ({"camera": None}, {"camera": "Camera"}),
        ({"engine": "LUXCORE"}, {"engine": "CYCLES"}),
        ({"has_sound": True}, {"frames": "1,3", "sound": False}),
        ({"has_sound": True}, {"frames": "1,3", "video": False}),
        ({"file_format": "TIFF"}, {"format": "PNG"}),
    ],
)
def test_what_the_person_chooses_settles_it(changes: dict[str, Any], wishes: dict[str, Any]) -> None:
    assert ("error", "no_frames") not in found(changes, **wishes)
    assert [problem for problem in found(changes, **wishes) if problem[1] != "outside_range"] == []


def test_missing_files_are_named_once_each_and_then_counted() -> None:
    lost = [texture(f"//{number}.png") for number in range(8)]
    problems = check(scene(), [*lost, lost[0]], Overrides())
    assert [problem.code for problem in problems] == ["missing_file"] * 6
    assert "wood" in str(problems[0])
    assert lost[0].path in str(problems[0])
    assert "missing: 3." in str(problems[-1])


def test_a_folder_that_is_left_behind_is_a_warning() -> None:
    cache = texture("//cache", kind="object", user="Smoke", refused="keeps its files in the folder /proj/cache")
    [problem] = check(scene(), [cache], Overrides())
    assert (problem.severity, problem.code) == (Severity.WARNING, "not_packed")


def test_simulations_that_are_not_baked_are_named_with_what_to_do() -> None:
    cloths = [texture("", kind="cloth simulation", user=f"Flag {number}", unbaked=True) for number in range(7)]
    smoke = texture("//cache", kind="fluid simulation", user="Smoke", unbaked=True)
    problems = check(scene(), [smoke, *cloths, smoke], Overrides())
    assert [problem.code for problem in problems] == ["unbaked"] * 6
    assert "“Smoke” is not baked" in problems[0].message
    assert "Physics → Fluid → Bake All" in problems[0].hint
    assert "not baked: 3." in problems[-1].message


def test_single_files_that_are_missing_are_named_though_others_are_there() -> None:
    tiles = texture("//wall.<UDIM>.png", "/p/wall.1001.png", missing=("/p/wall.1002.png",))
    [problem] = check(scene(), [tiles], Overrides())
    assert "/p/wall.1002.png, which is not there" in problem.message


def test_errors_come_first() -> None:
    problems = check(scene(camera=None, file_format="TIFF"), [texture("//lost.png")], Overrides())
    assert [problem.severity for problem in problems] == [Severity.ERROR, Severity.WARNING, Severity.WARNING]


def test_each_problem_says_what_to_do() -> None:
    [problem] = check(scene(camera=None, cameras=("Left", "Right")), [], Overrides())
    assert "no active camera" in problem.message
    assert problem.hint == "Choose one of: Left, Right."
