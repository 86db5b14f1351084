"""Each kind of file travels: a scene that needs it renders from its pack alone as it did at home."""

import shutil
from pathlib import Path

import pytest
from PIL import Image, ImageChops

from addon.pack_plan import plan_pack
from addon.snapshot import dependency_from_plain
from tests.in_blender.blender import in_blender, in_sandbox
from tests.in_blender.table_scenes import MAKE, RENDER

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("dependencies")]

#: What is in the .blend itself as well: it renders the same without the file.
IN_THE_BLEND = {"text"}


def same(one: Path, other: Path) -> bool:
    """Tell whether two pictures have the same pixels; one that was not made has none.  What can be heard counts too."""
    if not one.exists() or not other.exists():
        return False
    sounds = [path.with_suffix(".flac") for path in (one, other)]
    if sounds[0].exists():
        return sounds[0].read_bytes() == sounds[1].read_bytes()
    with Image.open(one) as first, Image.open(other) as second:
        return ImageChops.difference(first.convert("RGB"), second.convert("RGB")).getbbox() is None


def test_a_scene_of_each_kind_renders_from_its_pack_alone(tmp_path: Path) -> None:
    artist, packs = tmp_path / "artist", tmp_path / "packs"
    artist.mkdir()
    found = in_blender(MAKE, tmp_path, top=str(artist))
    assert {kind: error for kind, error in found.items() if isinstance(error, str)} == {}
    wanted = {}
    for kind, plain in found.items():
        dependencies = [dependency_from_plain(each) for each in plain]
        assert [dependency.missing for dependency in dependencies if dependency.missing] == [], kind
        main = str(artist / kind / "shot.blend")
        plan = plan_pack(main, main, dependencies)
        assert len({*plan.files.values()}) == len(plan.files), f"{kind}: a file is sent once, whatever its spellings"
        for way in ("with", "without"):
            folder = packs / way / kind
            for place, path in plan.files.items():
                if way == "with" or place == plan.main:
                    (folder / place).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(path, folder / place)
            wanted[f"{kind}, {way}"] = {
                "folder": str(folder),
                "main": plan.main,
                "remap": plan.remap if way == "with" else {},
            }
    gone = artist.rename(tmp_path / "gone")
    errors, rendered = in_sandbox(RENDER, packs, packs=wanted, gone=str(gone))
    assert {kind: error for kind, error in errors.items() if error is not True} == {}
    home = gone / "home"
    other = [kind for kind in found if not same(home / f"{kind}.png", rendered / f"{kind}, with.png")]
    assert other == [], "these look otherwise from their packs"
    needless = {kind for kind in found if same(home / f"{kind}.png", rendered / f"{kind}, without.png")}
    assert needless == IN_THE_BLEND, "these render the same without their files, so that this test proves nothing"
