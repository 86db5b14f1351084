"""The sandbox's command line, and when there is none."""

import os
import platform
from pathlib import Path

import pytest

from agent.blender import confine
from agent.blender.confine import NoSandboxError, arrange_sandbox, find_sandbox
from agent.blender.locate import Blender
from agent.blender.sandbox import FIRST_GUEST, Bounds, Cell, Sandbox, sandbox_environment
from coordinator.protocol import Device
from tests.unit.agent.blenders import child

CELL = Cell(pack=Path("/a/packs/1"), output=Path("/a/s/output"), temporary=Path("/a/s/tmp"), slot=3)


def sandbox(*, as_root: bool = False, cards: tuple[Path, ...] = (), readable: tuple[Path, ...] = ()) -> Sandbox:
    return Sandbox(
        bwrap=Path("/usr/bin/bwrap"),
        bounds=Bounds(memory_bytes=1, processes=1),
        system=("--symlink", "usr/lib", "/lib"),
        readable=readable,
        hidden=Path("/a"),
        cards=cards,
        card_groups=(44,) if cards else (),
        as_root=as_root,
        no_namespaces=True,
    )


def test_nothing_is_writable_but_the_sessions_own_folders() -> None:
    command = sandbox().command(CELL, ["blender"])
    writable = [command[at + 2] for at, word in enumerate(command) if word == "--bind"]
    assert writable == ["/tmp", "/dev/shm", "/a/s/output"]  # noqa: S108 - the sandbox's own
    read = [command[at + 2] for at, word in enumerate(command) if word == "--ro-bind"]
    assert read == ["/usr", "/a/packs/1"]
    assert "--dev-bind" not in command


def test_the_agents_folder_is_hidden_where_it_lies_in_a_readable_one_and_blender_is_seen_where_it_lies_in_that() -> (
    None
):
    command = sandbox(readable=(Path("/"), Path("/a/blender"))).command(CELL, ["blender"])
    outer = command.index("/", command.index("--remount-ro"))
    assert outer < command.index("--tmpfs") < command.index("/a/blender") < command.index("/a/packs/1")


def test_an_ordinary_user_gets_a_namespace_and_root_another_user() -> None:
    ordinary = sandbox().command(CELL, ["blender"])
    assert {"--unshare-user", "--disable-userns"} <= set(ordinary)
    assert ordinary[-2:] == ["--", "blender"]
    root = sandbox(as_root=True, cards=(Path("/dev/dri"),)).command(CELL, ["blender"])
    assert "--unshare-user" not in root
    inside = root[root.index("setpriv") :]
    assert inside[1:5] == ["--reuid", str(FIRST_GUEST + 3), "--regid", str(FIRST_GUEST + 3)]
    assert inside[5:7] == ["--groups", "44"]
    assert inside[-1] == "blender"


def test_only_harmless_variables_reach_blender() -> None:
    environment = {"RENDERFARM_JOIN_TOKEN": "t", "AWS_SECRET_ACCESS_KEY": "s", "HOME": "/home/ana", "LANG": "C.UTF-8"}
    environment["MESA_SHADER_CACHE_DIR"] = "/home/ana/shaders"
    kept = sandbox_environment(environment)
    shaders = {kept.pop(name) for name in ("MESA_SHADER_CACHE_DIR", "__GL_SHADER_DISK_CACHE_PATH")}
    assert shaders == {"/tmp/shaders"}  # noqa: S108 - as above
    assert kept == {"PATH": "/usr/bin:/bin", "HOME": "/tmp", "CUDA_DEVICE_ORDER": "PCI_BUS_ID", "LANG": "C.UTF-8"}  # noqa: S108 - as above


async def test_auto_does_without_and_on_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    blender = Blender((4, 5, 0), "executable", tmp_path / "blender")
    sandbox, because = await arrange_sandbox("auto", blender, tmp_path, Device.CPU)
    assert sandbox is None
    assert "bubblewrap" in because
    with pytest.raises(NoSandboxError, match="RENDERFARM_SANDBOX is on"):
        await arrange_sandbox("on", blender, tmp_path, Device.CPU)
    off = await arrange_sandbox("off", blender, tmp_path, Device.CPU)
    assert off == (None, "It was turned off (RENDERFARM_SANDBOX).")


@pytest.mark.slow
async def test_a_blender_that_does_not_find_its_card_in_the_sandbox_renders_without(tmp_path: Path) -> None:
    folder = tmp_path / "blender"
    folder.mkdir()
    blender = child(
        folder,
        """
commands.readline()
say(event="described", engines=["CYCLES"], denoisers=[], devices=[{"type": "CUDA", "name": "A card", "id": "1"}])
commands.readline()
""",
    )
    if (await arrange_sandbox("auto", blender, tmp_path / "agent", Device.CPU))[0] is None:
        pytest.skip("this machine has no sandbox")
    found, because = await arrange_sandbox("auto", blender, tmp_path / "agent", Device.CUDA)
    assert (found is not None, because) == (True, "")
    missing, because = await arrange_sandbox("auto", blender, tmp_path / "agent", Device.OPTIX)
    assert missing is None
    assert "no OPTIX device in the sandbox" in because


@pytest.mark.parametrize(
    ("release", "user", "limited"),
    [("5.10.0-28-amd64", 1000, False), ("5.14", 1000, True), ("6.1.0", 1000, True), ("5.10.0", 0, True)],
)
def test_processes_are_limited_where_they_are_counted_by_sandbox(
    monkeypatch: pytest.MonkeyPatch, release: str, user: int, *, limited: bool
) -> None:
    monkeypatch.setattr(platform, "release", lambda: release)
    monkeypatch.setattr(os, "geteuid", lambda: user)
    assert (confine._most_processes() is not None) == limited


def test_a_blender_that_lies_in_the_home_folder_itself_would_show_all_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    blender = Blender((4, 5, 0), "executable", tmp_path / "blender")
    with pytest.raises(NoSandboxError, match="folder of its own"):
        find_sandbox(blender, tmp_path / "agent", cards=False)
