"""Scenes that try to get out of the sandbox, and what becomes of it: nothing.

What is tried inside is tried outside as well, where it does no harm: a test that could not fail would prove nothing.
"""

import contextlib
import json
import os
import select
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from agent.blender.confine import NoSandboxError, find_sandbox
from agent.blender.sandbox import Bounds
from agent.scratch import NotAFileError
from tests.in_blender import hostile_scenes
from tests.in_blender.hostile_machine import BLENDER, Machine

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("sandbox")]

TOKEN = "rf_agent_made_up"  # noqa: S105 - it opens nothing
MIB = 2**20

#: Nothing here takes longer on a slow machine with both cores busy, in seconds.
PATIENCE = 60.0


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine whose sandbox works."""
    folder = tmp_path / "agent"
    for inner in ("coordinators/farm/frames/lease/1", "inputs/packs/hostile", "inputs/packs/other", "logs"):
        (folder / inner).mkdir(parents=True)
    (folder / "coordinators/farm/identity.json").write_text(TOKEN)
    (folder / "coordinators/farm/frames/lease/1/frame.png").write_text("another job's frame")
    (folder / "inputs/packs/other/scene.blend").write_text("another job's scene")
    try:
        return Machine(tmp_path, find_sandbox(BLENDER, folder, cards=False))
    except NoSandboxError as error:
        pytest.skip(str(error))


READ = """
def read(path):
    try:
        with open(path) as file:
            return file.read(100)
    except OSError:
        return None
def names(path):
    try:
        return os.listdir(path)
    except OSError:
        return None
"""


def test_files_of_the_machine_are_not_there(machine: Machine) -> None:
    frames = machine.root / "agent/coordinators/farm/frames"
    others = machine.root / "agent/inputs/packs/other"
    link = machine.pack / "link"
    link.symlink_to(
        machine.token
    )  # no pack can have one, for its manifest lists files; should one come in all the same
    machine.attack(
        f"""{READ}
report(token=read({str(machine.token)!r}), link=read({str(link)!r}), shadow=read("/etc/shadow"),
       passwd=read("/etc/passwd"), frames=names({str(frames)!r}), others=names({str(others)!r}),
       home=names(os.path.expanduser("~root")),
       project=names({str(Path(__file__).parent)!r}))
"""
    )
    outside = machine.run(shut_in=False).found
    assert outside["token"] == outside["link"] == TOKEN
    assert "root:" in str(outside["passwd"])
    assert outside["frames"]
    assert outside["project"]
    inside = machine.run().found
    # Root's home holds what leads to Python, where Python lies in it, and nothing else.
    homes = inside.pop("home")
    assert homes is None or set(homes) <= {".pyenv"}
    assert inside == {
        "token": None,
        "link": None,
        "shadow": None,
        "passwd": None,
        "frames": None,
        "others": None,
        "project": None,
    }


def test_an_ordinary_users_sandbox_is_as_tight(machine: Machine) -> None:
    machine.sandbox = replace(machine.sandbox, as_root=False)
    machine.attack(
        f"""{READ}
import ctypes, socket
NEW_USER_NAMESPACE = 0x10000000
report(token=read({str(machine.token)!r}), home=names("/home"), user=os.getuid(), system=os.access("/usr", os.W_OK),
       devices=[name for _, name in socket.if_nameindex()],
       processes=len([name for name in names("/proc") if name.isdigit()]) < 5,
       namespace=ctypes.CDLL(None).unshare(NEW_USER_NAMESPACE), picture=os.access(glob.glob(OUTPUT)[0], os.W_OK))
"""
    )
    assert machine.run().found == {
        "token": None,
        "home": None,
        "user": 1000,
        "system": False,
        "devices": ["lo"],
        "processes": True,
        "namespace": -1 if machine.sandbox.no_namespaces else 0,
        "picture": True,
    }


def test_no_secret_is_in_the_environment(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUD_PASSWORD", "secret")
    machine.attack('report(password=os.environ.get("CLOUD_PASSWORD"), home=os.environ.get("HOME"))')
    assert machine.run(shut_in=False).found["password"] == "secret"  # noqa: S105 - made up
    assert machine.run().found == {"password": None, "home": "/tmp"}  # noqa: S108 - the sandbox's own


def test_nothing_is_written_but_into_the_sessions_folder(machine: Machine) -> None:
    package = str(Path(np.__file__).parent)
    machine.attack(
        f"""
def write(folder):
    try:
        with open(os.path.join(folder, "attack"), "w") as file:
            return bool(file.write("x"))
    except OSError:
        return False
(scene,) = glob.glob({str(machine.pack / "*.blend")!r})
try:
    os.chmod(scene, 0o777); open(scene, "ab").write(b"x"); changed = True
except OSError:
    changed = False
folders = ({str(machine.pack)!r}, {package!r}, "/usr/lib", "/", "/etc", "/dev", "/home")
report(changed=changed, own=write("/tmp"), **{{folder: write(folder) for folder in folders}})
"""
    )
    found = machine.run().found
    assert found.pop("own") is True
    assert set(found.values()) == {False}
    assert not (machine.pack / "attack").exists()


def test_no_network(machine: Machine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        machine.attack(
            f"""
import socket
def connects(*address):
    try:
        socket.create_connection(address, timeout=2).close()
        return True
    except OSError:
        return False
report(local=connects("127.0.0.1", {server.getsockname()[1]}), devices=[name for _, name in socket.if_nameindex()])
"""
        )
        assert machine.run(shut_in=False).found["local"] is True
        assert machine.run().found == {"local": False, "devices": ["lo"]}


def test_other_processes_cannot_be_seen_nor_killed(machine: Machine) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as victim:
        machine.attack(
            f"""
import signal
def kills(pid):
    try:
        os.kill(pid, 0)
        return True
    except OSError:
        return False
report(victim=kills({victim.pid}), agent=kills({os.getpid()}), user=os.getuid(),
       processes=len([name for name in os.listdir("/proc") if name.isdigit()]))
"""
        )
        outside = machine.run(shut_in=False).found
        assert outside["victim"] is True
        inside = machine.run().found
        assert victim.poll() is None
        victim.communicate(b"\n")
    assert inside["user"] != 0
    assert (inside["victim"], inside["agent"]) == (False, False)
    assert int(str(inside["processes"])) <= 4


FORK_BOMB = """
import time
children = 0
try:
    while children < 2000:
        if os.fork() == 0:
            time.sleep(600)
            os._exit(0)
        children += 1
except OSError:
    pass
report(children=children)
"""


def test_a_fork_bomb_is_stopped_and_gone_with_its_session(machine: Machine) -> None:
    machine.sandbox = replace(machine.sandbox, bounds=replace(machine.sandbox.bounds, processes=100))
    machine.attack(FORK_BOMB)
    found = machine.run().found
    assert 0 < int(str(found["children"])) < 100
    # Killing the session has ended them all.
    for process in Path("/proc").glob("[0-9]*"):
        if _sees(process, machine.pack):
            with contextlib.suppress(ProcessLookupError):
                descriptor = os.pidfd_open(int(process.name))
                assert select.select([descriptor], [], [], PATIENCE)[0], "it still runs"
                os.close(descriptor)


def _sees(process: Path, folder: Path) -> bool:
    """Tell whether a folder is mounted where a process is."""
    try:
        return f" {folder} " in (process / "mounts").read_text()
    except OSError:
        return False


def test_a_huge_allocation_fails_and_is_told_as_that(machine: Machine) -> None:
    machine.sandbox = replace(machine.sandbox, bounds=Bounds(memory_bytes=1024 * MIB, processes=1000))
    machine.attack(
        """
held = []
try:
    while len(held) < 64:
        held.append(bytearray(128 * 2**20))
except MemoryError:
    held_mib = len(held) * 128
    del held
    report(held=held_mib)
"""
    )
    found = machine.run().found
    assert 128 <= int(str(found["held"])) < 1024


@pytest.mark.parametrize("allowed", [False, True])
def test_scripts_run_only_where_they_may(machine: Machine, *, allowed: bool) -> None:
    machine.attack("report(ran=True)")
    outcome = machine.run(allow_scripts=allowed)
    assert (outcome.scratch.output / "found.json").exists() == allowed
    assert any("allow_scripts" in warning for warning in outcome.opened.warnings) != allowed


def test_a_drivers_expression_sees_no_more(machine: Machine) -> None:
    attack = f"""10 if __import__("os").path.exists({str(machine.token)!r}) else 0"""
    hostile_scenes.make(BLENDER, hostile_scenes.DRIVER, machine.pack, attack=attack)
    outside, inside = (machine.run(shut_in=shut_in, render=True).pixels for shut_in in (False, True))
    # Outside, what the agent's folder holds moves the cube out of the picture; inside, there is nothing to move it.
    middle = outside.shape[0] // 2, outside.shape[1] // 2
    assert int(inside[middle]) > int(outside[middle]) + 20


def test_a_freestyle_script_finds_nothing(machine: Machine) -> None:
    machine.attack(f"{READ}\nreport(token=read({str(machine.token)!r}))", scene=hostile_scenes.FREESTYLE)
    # Some Blenders run it whatever is said of scripts; what it finds must be the same there.
    unasked = machine.run(allow_scripts=False, render=True).scratch.output / "found.json"
    assert not unasked.exists() or json.loads(unasked.read_text()) == {"token": None}
    outside, inside = (machine.run(shut_in=shut_in, render=True).found["token"] for shut_in in (False, True))
    assert (outside, inside) == (TOKEN, None)


def test_a_shader_reads_no_picture_of_another_job(machine: Machine) -> None:
    Image.new("RGB", (8, 8), (255, 255, 255)).save(machine.others_frame)
    hostile_scenes.make(BLENDER, hostile_scenes.OSL, machine.pack, picture=str(machine.others_frame))
    outside, inside = (machine.run(shut_in=shut_in, render=True).pixels for shut_in in (False, True))
    middle = outside.shape[0] // 2, outside.shape[1] // 2
    assert int(outside[middle]) > 150
    assert int(inside[middle]) < 5


def test_output_nodes_write_into_the_sessions_folder_wherever_they_point(machine: Machine) -> None:
    target = machine.root / "elsewhere"
    target.mkdir()
    target.chmod(0o777)
    outputs = [
        (f"{target}/", "a"),
        ("//../../../../elsewhere/", "b"),
        ("//passes/", f"../../../../../../../../../..{target}/c"),
        ("//deep/er/", "/d"),
    ]
    hostile_scenes.make(BLENDER, hostile_scenes.OUTPUTS, machine.pack, outputs=outputs)
    frame = machine.root / "frame"
    frame.mkdir()
    before = set(machine.root.rglob("*"))
    # The nodes' own paths are mended, so that this holds without a sandbox too.
    for shut_in in (True, False):
        scratch = machine.run(shut_in=shut_in, allow_scripts=False, render=True).scratch
        extras, warnings = scratch.take_extras(frame)
        scratch.remove()
        assert warnings == []
        assert len(extras) == len(outputs)
        for extra in extras:
            assert ".." not in Path(extra.path).parts
            with Image.open(frame / extra.name) as picture:
                assert picture.size == (64, 48)
    assert list(target.iterdir()) == []
    new = {path for path in machine.root.rglob("*") if path not in before and not path.is_relative_to(frame)}
    assert {path.relative_to(machine.root).as_posix() for path in new} == {"log", "agent/sessions"}


def test_a_link_in_place_of_the_picture_is_not_followed(machine: Machine) -> None:
    machine.attack(
        f"""
import bpy
def swap(*_):
    (folder,) = glob.glob(OUTPUT)
    os.remove(os.path.join(folder, "frame.png"))
    os.symlink({str(machine.token)!r}, os.path.join(folder, "frame.png"))
    os.makedirs(os.path.join(folder, "extras"), exist_ok=True)
    os.symlink({str(machine.token)!r}, os.path.join(folder, "extras", "token.png"))
    os.symlink("/", os.path.join(folder, "extras", "all"))
bpy.app.handlers.render_write.append(swap)
"""
    )
    frame = machine.root / "frame"
    frame.mkdir()
    outcome = machine.run(render=True)
    assert outcome.failure == "not_written"  # in the sandbox, the link leads nowhere
    assert (outcome.scratch.output / "frame.png").is_symlink()
    with pytest.raises(NotAFileError):
        outcome.scratch.take("frame.png", frame)
    extras, warnings = outcome.scratch.take_extras(frame)
    assert extras == []
    assert len(warnings) == 1
    assert list(frame.iterdir()) == []
