"""Every file finds a place in the pack where the paths that Blender stores still lead to it."""

import ntpath
import posixpath
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addon.pack_plan import PackError, PackPlan, plan_pack
from addon.snapshot import Dependency
from coordinator.protocol import Manifest, ManifestFile, validate_manifest
from tests.unit.addon.snapshots import texture

SHOT = "/proj/shots/010.blend"


def plan(*dependencies: Dependency) -> PackPlan:
    return plan_pack("/tmp/copy.blend", SHOT, dependencies, paths=posixpath)  # noqa: S108 - a name only


def assert_leads_to_every_file(made: PackPlan, dependencies: Sequence[Dependency], original: str = SHOT) -> None:
    """Follow each stored path inside the pack, as Blender and the agent do."""
    place_of = {path: place for place, path in made.files.items()} | {original: made.main}
    for dependency in dependencies:
        for path in dependency.files:
            beside = posixpath.basename(path)
            if dependency.is_relative:
                folder = posixpath.dirname(place_of[dependency.owner or original])
                stored = posixpath.dirname(dependency.stored.removeprefix("//"))
                led = posixpath.normpath(posixpath.join(folder, stored, beside))
            else:
                led = posixpath.join(made.remap[posixpath.dirname(dependency.stored)], beside)
            assert made.files.get(led) == path
    files = [ManifestFile(path=place, size=0, blobs=[]) for place in made.files]
    validate_manifest(Manifest(main=made.main, files=files, remap=made.remap))


def test_a_lone_file_is_the_pack() -> None:
    assert plan() == PackPlan("010.blend", {"010.blend": "/tmp/copy.blend"}, {})  # noqa: S108 - a name only


def test_the_projects_folders_are_kept_so_that_relative_paths_work() -> None:
    wood = texture("//../tex/wood.png", "/proj/tex/wood.png")
    made = plan(wood, texture("//near.png", "/proj/shots/near.png"))
    assert made.main == "shots/010.blend"
    assert set(made.files) == {"shots/010.blend", "shots/near.png", "tex/wood.png"}
    assert made.remap == {}


def test_absolute_paths_inside_the_project_stay_in_place() -> None:
    made = plan(texture("/proj/shots/tex/wood.png", "/proj/shots/tex/wood.png"))
    assert made.files["tex/wood.png"] == "/proj/shots/tex/wood.png"
    assert made.remap == {"/proj/shots/tex": "tex"}


def test_absolute_paths_elsewhere_get_a_folder_of_their_own() -> None:
    frames = tuple(f"/footage/a/{number:04}.png" for number in range(3))
    sequence = texture("/footage/a/0000.png", *frames)
    same_name = texture("/footage/b/0000.png", "/footage/b/0000.png")
    made = plan(sequence, same_name)
    assert_leads_to_every_file(made, [sequence, same_name])
    assert all(place.startswith("_outside/") for place in made.files if place != made.main)
    assert len(made.files) == 5
    assert len(made.remap) == 2, "a sequence is one folder to remap"
    assert not any("footage" in place for place in made.files), "folders outside the project are nobody's business"


def cache(stored: str, path: str, *files: str) -> Dependency:
    """Return a simulation's folder."""
    return replace(texture(stored, *(f"{path}/{file}" for file in files)), kind="cache", path=path, is_folder=True)


def test_a_folder_keeps_all_that_is_in_it() -> None:
    near = cache("//sea/", "/proj/shots/sea", "1.exr", "deep/2.exr")
    above = cache("//../sim", "/proj/sim", "data/a.vdb", "mesh/a.bobj.gz")
    made = plan(near, above)
    assert set(made.files) == {
        "shots/010.blend",
        "shots/sea/1.exr",
        "shots/sea/deep/2.exr",
        "sim/data/a.vdb",
        "sim/mesh/a.bobj.gz",
    }
    assert made.remap == {}


def test_a_folder_elsewhere_moves_as_a_whole() -> None:
    deep_only = cache("/mnt/sims/smoke/", "/mnt/sims/smoke", "data/a.vdb", "mesh/a.bobj.gz")
    inside = cache("/proj/shots/sea", "/proj/shots/sea", "1.exr")
    root = cache("/mnt/all", "/mnt/all", "1.exr")
    made = plan(deep_only, inside, root)
    for dependency in (deep_only, inside, root):
        for path in dependency.files:
            place = made.remap[dependency.path] + path.removeprefix(dependency.path)
            assert made.files[place] == path
    assert made.remap["/proj/shots/sea"] == "sea"
    assert len({made.remap["/mnt/sims/smoke"], made.remap["/mnt/all"]}) == 2
    files = [ManifestFile(path=place, size=0, blobs=[]) for place in made.files]
    validate_manifest(Manifest(main=made.main, files=files, remap=made.remap))


def test_tiles_move_as_their_template_does() -> None:
    tiles = texture("/lib/wood.<UDIM>.png", "/lib/wood.1001.png", "/lib/wood.1002.png")
    assert_leads_to_every_file(plan(tiles), [tiles])


def test_a_librarys_own_relative_paths_keep_working() -> None:
    library = texture("/lib/props/chair.blend", "/lib/props/chair.blend", kind="library")
    its_texture = texture("//../tex/oak.png", "/lib/tex/oak.png", owner="/lib/props/chair.blend")
    made = plan(library, its_texture)
    assert_leads_to_every_file(made, [library, its_texture])


def test_libraries_stay_where_they_are_to_one_another() -> None:
    # Which of them names which by a relative path cannot be seen from the open file.
    far = texture("/lib/sets/room.blend", "/lib/sets/room.blend", kind="library")
    near = texture("//../../lib/props/chair.blend", "/lib/props/chair.blend", kind="library")
    made = plan(far, near)
    assert_leads_to_every_file(made, [far, near])
    place_of = {path: place for place, path in made.files.items()}
    assert posixpath.relpath(place_of[near.path], posixpath.dirname(place_of[far.path])) == "../props/chair.blend"


def test_a_file_named_both_ways_is_sent_once() -> None:
    both = [texture("//../tex/a.png", "/proj/tex/a.png"), texture("/proj/tex/a.png", "/proj/tex/a.png")]
    made = plan(*both)
    assert_leads_to_every_file(made, both)
    assert len(made.files) == 2


def test_missing_and_refused_files_are_left_out() -> None:
    assert plan(texture("//lost.png"), texture("//cache", refused="is a folder")).files.keys() == {"010.blend"}


def test_windows_paths() -> None:
    dependencies = [
        texture("//tex\\wood.png", "C:\\proj\\tex\\wood.png"),
        texture("c:\\PROJ\\tex\\oak.png", "c:\\PROJ\\tex\\oak.png"),
        texture("D:\\lib\\rust.png", "D:\\lib\\rust.png"),
        texture("\\\\server\\share\\sky.exr", "\\\\server\\share\\sky.exr"),
    ]
    made = plan_pack("C:\\Temp\\copy.blend", "C:\\proj\\010.blend", dependencies, paths=ntpath)
    assert made.main == "010.blend"
    assert made.files["tex/wood.png"] == "C:\\proj\\tex\\wood.png"
    assert made.files["tex/oak.png"] == "c:\\PROJ\\tex\\oak.png"
    assert made.remap["c:/PROJ/tex"] == "tex"
    assert made.files[f"{made.remap['D:/lib']}/rust.png"] == "D:\\lib\\rust.png"
    assert made.files[f"{made.remap['//server/share']}/sky.exr"] == "\\\\server\\share\\sky.exr"
    assert not any(character in place for place in made.files for character in "\\:")


def test_windows_names_one_file_in_several_ways() -> None:
    both = [
        texture("//tex\\Wood.png", "C:\\proj\\tex\\Wood.png"),
        texture("c:\\PROJ\\Tex\\wood.PNG", "c:\\PROJ\\Tex\\wood.PNG"),
    ]
    made = plan_pack("C:\\proj\\010.blend", "C:\\proj\\010.blend", both, paths=ntpath)
    assert set(made.files) == {"010.blend", "tex/Wood.png"}
    assert made.remap == {"c:/PROJ/Tex": "tex"}


def test_names_in_every_script_are_kept() -> None:
    made = plan(texture("//テクスチャ/木 目.png", "/proj/shots/テクスチャ/木 目.png"))
    assert "テクスチャ/木 目.png" in made.files


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("aux.png", "Windows reserves"),
        ("back\\slash.png", "backslash"),
        ("line\nbreak.png", "control character"),
        ("n" * 256, "longer than 255"),
        ("bad\udcff.png", "not UTF-8"),
    ],
    ids=["reserved", "backslash", "control character", "long", "not UTF-8"],
)
def test_names_that_not_every_agent_can_store_are_refused(name: str, words: str) -> None:
    with pytest.raises(PackError) as caught:
        plan(texture(f"//{name}", f"/proj/shots/{name}"))
    assert words in str(caught.value)
    str(caught.value).encode()  # A terminal can print it.


def test_names_that_differ_in_case_only_are_refused() -> None:
    with pytest.raises(PackError, match="upper and lower case"):
        plan(texture("//a.png", "/proj/shots/a.png"), texture("//A.png", "/proj/shots/A.png"))
    with pytest.raises(PackError, match="folder"):
        plan(texture("//tex", "/proj/shots/tex"), texture("//TEX/a.png", "/proj/shots/TEX/a.png"))


_FOLDERS = st.sampled_from(
    ["/proj/shots", "/proj", "/proj/tex", "/proj/tex/fine", "/lib", "/lib/a", "/footage/b/c", "/"]
)


@given(
    st.lists(st.tuples(_FOLDERS, st.booleans(), st.sampled_from([None, "/lib/a/kit.blend"])), max_size=12), st.data()
)
def test_every_mix_of_relative_and_absolute_paths_leads_somewhere(
    chosen: list[tuple[str, bool, str | None]], data: st.DataObject
) -> None:
    kit = "/lib/a/kit.blend"
    dependencies = [texture(kit, kit, kind="library")]
    for number, (folder, relative, owner) in enumerate(chosen):
        path = posixpath.join(folder, f"{number}.png")
        stored = "//" + posixpath.relpath(path, posixpath.dirname(owner or SHOT)) if relative else path
        dependencies.append(texture(stored, path, owner=owner))
    order = data.draw(st.permutations(dependencies))
    assert_leads_to_every_file(plan(*order), dependencies)
