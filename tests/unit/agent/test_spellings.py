"""A pack's file is found where the scene names it with other capitals or accents, and nothing else is."""

from pathlib import Path

import pytest

from agent.blender.inside.spellings import forget_folders, other_spelling


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    forget_folders()
    names = ["textures/wood.png", "seq/f_0002.png", "udim/w.1001.png", "udim/v.u1_v1.png", "caf\u00e9/\u0130.png"]
    for name in [*names, "two/a.png", "two/A.png"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("named", "written"),
    [
        ("Textures/Wood.PNG", "textures/wood.png"),
        ("TEXTURES/wood.png", "textures/wood.png"),
        ("Textures", "textures"),
        ("Seq/F_0001.PNG", "seq/f_0001.png"),
        ("UDIM/W.<UDIM>.png", "udim/w.<UDIM>.png"),
        ("udim/V.<UVTILE>.png", "udim/v.<UVTILE>.png"),
        ("cafe\u0301/\u0130.png", "caf\u00e9/\u0130.png"),
        ("TWO/a.png", "two/a.png"),
        ("textures/wood.png", None),
        ("textures/oak.png", None),
        ("nowhere/wood.png", None),
        ("two/a.PNG", None),
    ],
)
def test_names_are_found_as_the_disk_writes_them(pack: Path, named: str, written: str | None) -> None:
    assert other_spelling(str(pack / named)) == (None if written is None else str(pack / written))
