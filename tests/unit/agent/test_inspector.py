"""What a Blender tells of a file, within the protocol's limits: it may have been taken over."""

from typing import Any

import msgspec
import pytest

from agent.blender.output import Inspected, MissingFile
from agent.inspector import findings
from coordinator.protocol import InspectionResult, decode, encode
from coordinator.protocol.inspections import MAX_MISSING, MAX_NAMES, MAX_SCENES, MAX_WARNINGS

FOLDER = "/agent/packs/abc"


def scene(**changes: Any) -> dict[str, Any]:
    """Return a scene as Blender tells it."""
    told: dict[str, Any] = {
        "name": "Scene",
        "camera": "Camera",
        "cameras": ["Camera"],
        "camera_changes": False,
        "view_layers": ["ViewLayer"],
        "frame_start": 1,
        "frame_end": 250,
        "frame_step": 1,
        "frame_current": 1,
        "fps": 24.0,
        "resolution": [1920, 1080],
        "percentage": 100,
        "plain_size": True,
        "engine": "CYCLES",
        "samples": 64,
        "format": "PNG",
        "sound": False,
    }
    return told | changes


def told(*scenes: dict[str, Any], active: str = "Scene", **changes: Any) -> Inspected:
    """Return what a Blender tells."""
    return Inspected(
        **{"file_version": (4, 5, 0), "scene": active, "scenes": list(scenes), "missing": [], "warnings": [], **changes}
    )


def test_an_honest_file_is_told_as_it_is() -> None:
    missing = [
        MissingFile(kind="image", name="wood", path=f"{FOLDER}/shots/tex/wood.png", relative=True),
        MissingFile(kind="image", name="stone", path=f"{FOLDER}/shots/../../lib/stone.png", relative=True),
        MissingFile(kind="sound", name="song", path="C:\\music\\song.wav"),
        MissingFile(kind="font", name="far", path=f"{FOLDER}/" + "../" * 20 + "font.ttf", relative=True),
    ]
    found = findings(told(scene(), scene(name="Other"), active="Other", missing=missing), (4, 5, 15), FOLDER)
    assert (found.scene, [one.name for one in found.scenes]) == ("Other", ["Other", "Scene"])
    assert [file.place for file in found.missing] == ["shots/tex/wood.png", "../lib/stone.png", None, None]
    assert [file.path for file in found.missing[:3]] == [
        "shots/tex/wood.png",
        "../lib/stone.png",
        "C:\\music\\song.wav",
    ]


def test_more_than_anyone_needs_is_cut() -> None:
    long = "x" * 5000
    scenes = [scene(name=f"S{number}") for number in range(MAX_SCENES + 50)]
    scenes[-1] |= {"cameras": ["a", long, "", *(f"c{number}" for number in range(MAX_NAMES))], "camera": long}
    files = [MissingFile(kind=long, name=long, path=long)] * (MAX_MISSING + 7)
    found = findings(
        told(*scenes, scene(name=long), active=str(scenes[-1]["name"]), missing=files, warnings=[long] * 100),
        (4, 5, 15),
        FOLDER,
    )
    assert len(found.scenes) == MAX_SCENES
    assert (found.scenes[0].name, found.scenes[0].camera) == (scenes[-1]["name"], None)
    assert len(found.scenes[0].cameras) == MAX_NAMES
    assert (len(found.missing), found.missing_count, len(found.warnings)) == (
        MAX_MISSING,
        MAX_MISSING + 7,
        MAX_WARNINGS,
    )
    # The coordinator takes it.
    assert decode(encode(InspectionResult(findings=found)), InspectionResult).findings == found


@pytest.mark.parametrize(
    "hostile",
    [
        {"fps": float("inf")},
        {"frame_step": 0},
        {"frame_end": 2**40},
        {"resolution": [0, -1]},
        {"samples": "many"},
        {"cameras": {"a": 1}},
        {"engine": "x" * 5000},
        {"percentage": None},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_values_that_cannot_be_are_refused(hostile: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        findings(told(scene(**hostile)), (4, 5, 15), FOLDER)


def test_a_file_without_a_scene_is_refused() -> None:
    for scenes in ([], [scene(name="")], [scene(name=7)]):
        with pytest.raises(msgspec.ValidationError):
            findings(told(*scenes), (4, 5, 15), FOLDER)
