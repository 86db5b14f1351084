"""What a path stands for on a real disk."""

import os
from pathlib import Path
from typing import Any

import pytest

from addon import found_files
from addon.found_files import Reference, Shape, find
from addon.snapshot import Dependency


def written(folder: Path, *names: str) -> list[str]:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return [str(folder / name) for name in names]


def found(path: Path, **fields: Any) -> Dependency | None:
    return find(Reference(kind="image", user="wood", stored=str(path), path=str(path), **fields))


def files(path: Path, **fields: Any) -> list[str]:
    dependency = found(path, **fields)
    assert dependency is not None
    return list(dependency.files)


def test_a_file_that_is_not_there_is_missing(tmp_path: Path) -> None:
    [there] = written(tmp_path, "a.png")
    assert files(Path(there)) == [there]
    lost = found(tmp_path / "b.png")
    assert lost is not None
    assert (lost.exists, lost.missing) == (False, (str(tmp_path / "b.png"),))


def test_a_sequence_is_its_numbered_neighbours(tmp_path: Path) -> None:
    wanted = written(tmp_path, "f_08 é.png", "f_09 é.png", "f_10 é.png", "f_100 é.png")
    written(tmp_path, "f_9 é.png", "f_11.png", "g_09 é.png", "f_0012 é.png", "f_08 é.PNG")
    assert files(Path(wanted[1]), shape=Shape.SEQUENCE) == sorted(wanted)
    # Its first file need not be there.
    assert files(tmp_path / "f_01 é.png", shape=Shape.SEQUENCE) == sorted(wanted)
    lost = found(tmp_path / "h_01.png", shape=Shape.SEQUENCE)
    assert lost is not None
    assert lost.missing == (str(tmp_path / "h_01.png"),)


def test_tiles_that_are_not_there_are_named(tmp_path: Path) -> None:
    wanted = written(tmp_path, "w.1001.png", "w.1012.png")
    tiled = found(tmp_path / "w.<UDIM>.png", shape=Shape.TILES, tiles=(1001, 1002, 1012))
    assert tiled is not None
    assert (tiled.files, tiled.missing) == (tuple(wanted), (str(tmp_path / "w.1002.png"),))
    wanted = written(tmp_path, "v.u1_v1.png", "v.u2_v2.png")
    assert files(tmp_path / "v.<UVTILE>.png", shape=Shape.TILES, tiles=(1001, 1012)) == wanted


def test_a_strips_pictures_are_named_one_by_one(tmp_path: Path) -> None:
    wanted = written(tmp_path, "2.png", "1.png")
    strip = found(tmp_path / "2.png", shape=Shape.STRIP, names=("2.png", "1.png", "3.png"))
    assert strip is not None
    assert (list(strip.files), strip.missing) == (wanted, (str(tmp_path / "3.png"),))


def test_a_shader_travels_with_its_bytecode(tmp_path: Path) -> None:
    source, code = written(tmp_path, "s.osl", "s.oso")
    assert files(Path(source), shape=Shape.SHADER) == [source, code]
    assert files(Path(code), shape=Shape.SHADER) == [code, source]


def test_all_views_of_a_stereo_picture_are_found(tmp_path: Path) -> None:
    left, right = written(tmp_path, "eye_L.png", "eye_R.png")
    assert files(Path(left), views=("_L", "_R")) == [left, right]
    assert files(Path(left)) == [left]


def test_a_folder_is_all_that_is_in_it_behind_links_too(tmp_path: Path) -> None:
    written(tmp_path, "cache/a/1.vdb", "cache/2.vdb", "disk/3.vdb")
    (tmp_path / "cache/large").symlink_to(tmp_path / "disk")
    (tmp_path / "disk/up").symlink_to(tmp_path / "cache")
    folder = found(tmp_path / "cache", shape=Shape.EITHER)
    assert folder is not None
    assert folder.is_folder
    assert [os.path.relpath(file, tmp_path / "cache") for file in folder.files] == ["2.vdb", "a/1.vdb", "large/3.vdb"]


def test_folders_that_cannot_be_meant_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for path in (Path("/"), tmp_path):
        folder = found(path, shape=Shape.FOLDER)
        assert folder is not None
        assert (folder.files, folder.refused is None) == ((), False)
    # A cloth simulation that keeps nothing on disk may name the root.
    assert found(Path("/"), shape=Shape.FOLDER, optional=True) is None
    monkeypatch.setattr(found_files, "MOST_IN_FOLDER", 2)
    written(tmp_path, *(f"cache/{number}" for number in range(3)))
    many = found(tmp_path / "cache", shape=Shape.FOLDER)
    assert many is not None
    assert "more than 2" in str(many.refused)


def test_what_was_not_baked_is_nothing_or_an_unbaked_simulation(tmp_path: Path) -> None:
    (tmp_path / "cache/config").mkdir(parents=True)
    assert found(tmp_path / "cache", shape=Shape.FOLDER, optional=True) is None
    unbaked = found(tmp_path / "cache", shape=Shape.FOLDER, optional=True, simulation=True)
    assert unbaked is not None
    assert (unbaked.unbaked, unbaked.missing) == (True, ())
    written(tmp_path, "cache/config/1.uni")
    baked = found(tmp_path / "cache", shape=Shape.FOLDER, optional=True, simulation=True)
    assert baked is not None
    assert (baked.unbaked, len(baked.files)) == (False, 1)
    # A fluid writes its settings down before there is anything to see.
    settings = found(tmp_path / "cache", shape=Shape.FOLDER, optional=True, simulation=True, steps="data")
    assert settings is not None
    assert settings.unbaked
    written(tmp_path, "cache/data/1.vdb")
    baked = found(tmp_path / "cache", shape=Shape.FOLDER, optional=True, simulation=True, steps="data")
    assert baked is not None
    assert not baked.unbaked


def test_a_folder_where_a_file_is_meant_is_no_file(tmp_path: Path) -> None:
    written(tmp_path, "textures/wood.png", "textures/oak.png")
    lost = found(tmp_path / "textures")
    assert lost is not None
    assert (lost.files, lost.missing) == ((), (str(tmp_path / "textures"),)), "all of a project would be sent"


def test_a_folder_of_steps_that_is_not_there_is_missing(tmp_path: Path) -> None:
    lost = found(tmp_path / "steps", shape=Shape.FOLDER)
    assert lost is not None
    assert lost.missing == (str(tmp_path / "steps"),)


def test_files_are_named_as_the_disk_does(tmp_path: Path) -> None:
    [wood, first, second, left, right, accent] = written(
        tmp_path, "textures/wood.png", "seq/f_01.png", "seq/f_02.png", "eye_L.png", "eye_R.png", "caf\u00e9.png"
    )
    assert files(tmp_path / "Textures/Wood.PNG") == [wood]
    assert files(tmp_path / "Seq/F_01.PNG", shape=Shape.SEQUENCE) == [first, second]
    assert files(tmp_path / "Seq/F_<UDIM>.PNG", shape=Shape.TILES, tiles=(1,)) == []
    assert files(tmp_path / "SEQ/F_02.png", shape=Shape.STRIP, names=("F_02.png", "f_01.png")) == [second, first]
    assert files(tmp_path / "EYE_L.png", views=("_L", "_R")) == [left, right]
    assert files(tmp_path / "cafe\u0301.png") == [accent]
    folder = found(tmp_path / "SEQ", shape=Shape.FOLDER)
    assert folder is not None
    assert (folder.path, folder.files) == (str(tmp_path / "seq"), (first, second))
    library = found(tmp_path / "textures/wood.png", owner=str(tmp_path / "TEXTURES/wood.png"))
    assert library is not None
    assert library.owner == wood


def test_the_name_that_is_given_goes_first(tmp_path: Path) -> None:
    [small, large, other, another] = written(tmp_path, "a.png", "A.png", "b.png", "B.png")
    assert (files(Path(small)), files(Path(large))) == ([small], [large])
    for both in (other, another):
        assert files(Path(both)) == [both]
    assert files(tmp_path / "a.PNG") == [], "nobody can tell which of the two is meant"
    written(tmp_path, "f_1.png", "F_2.png")
    assert files(tmp_path / "f_1.png", shape=Shape.SEQUENCE) == [str(tmp_path / "f_1.png")]


def test_links_that_lead_nowhere_are_missing(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "lost.png").symlink_to(tmp_path / "not there")
    for name in ("loop", "loop/wood.png", "lost.png"):
        assert files(tmp_path / name) == []
    [wood] = written(tmp_path, "disk/wood.png")
    (tmp_path / "textures").symlink_to(tmp_path / "disk")
    assert files(tmp_path / "textures/wood.png") == [str(tmp_path / "textures/wood.png")]
    assert files(Path(wood)) == [wood]
