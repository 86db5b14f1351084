"""The extension in Blender without a window: it comes and goes without a trace, and leaves the artist's file alone."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.farm import ADMIN_TOKEN, running_farm
from tests.in_blender.blender import in_blender

pytestmark = pytest.mark.slow

#: What of Blender an extension could leave something in.
_TRACES = """
import threading

def traces():
    lists = {name: getattr(bpy.app.handlers, name) for name in dir(bpy.app.handlers)}
    handlers = {name: len(found) for name, found in lists.items() if isinstance(found, list)}
    return {
        "types": sorted(name for name in dir(bpy.types) if "renderfarm" in name.lower()),
        "operators": dir(bpy.ops.renderfarm),
        "properties": [hasattr(bpy.types.Scene, "renderfarm"), hasattr(bpy.types.WindowManager, "renderfarm")],
        "menu": len(bpy.types.TOPBAR_MT_render._dyn_ui_initialize()),
        "handlers": handlers,
        "threads": sorted(thread.name for thread in threading.enumerate()),
        "preferences": [name for name in bpy.context.preferences.addons.keys() if name == "addon"],
    }

def timer_runs():
    from addon import refresh
    return bpy.app.timers.is_registered(refresh._tick)

def start_its_threads():
    from addon import refresh, state
    from addon.connection import Connection
    state.current().feed.follow(Connection("http://127.0.0.1:9", "rf_admin_x"))
    refresh.watch()
    return timer_runs() and "renderfarm-jobs" in traces()["threads"]

def enable():
    return addon_utils.enable("addon", default_set=True) is not None
"""

_ENABLE_AND_CONNECT = """
addon_utils.enable("addon", default_set=True)
preferences = bpy.context.preferences.addons["addon"].preferences
preferences.address, preferences.token = arguments["address"], arguments["token"]
from addon import state
"""


def test_it_leaves_nothing_behind(tmp_path: Path) -> None:
    answer = in_blender(
        _TRACES
        + """
import importlib, warnings
warnings.simplefilter("error")
before = traces()
rounds = []
for turn in range(3):
    assert enable()
    during = traces()
    assert start_its_threads()
    addon_utils.disable("addon", default_set=True)
    rounds.append(traces() == before and not timer_runs())
    if turn == 1:
        # As Blender does when the extension was updated.
        old = sys.modules["addon.panels"]
        importlib.reload(sys.modules["addon"])
        assert "addon.panels" not in sys.modules
answer = {"rounds": rounds, "before": before, "during": during, "fresh": sys.modules["addon.panels"] is not old}
""",
        tmp_path,
    )
    assert answer["rounds"] == [True, True, True]
    assert answer["fresh"]
    assert answer["before"]["types"] == []
    assert {"RENDERFARM_PT_panel", "RENDERFARM_UL_jobs", "RENDERFARM_OT_submit"} <= set(answer["during"]["types"])
    assert answer["during"]["menu"] == answer["before"]["menu"] + 1


def test_what_is_translated_is_still_said(tmp_path: Path) -> None:
    # The module has no languages, so that Blender cannot be asked for a word.
    words = in_blender("from addon.translations import WORDS\nanswer = [list(it) for it in WORDS.values()]", tmp_path)
    addon = Path(__file__).parents[2] / "addon"
    said = "".join(path.read_text() for path in addon.glob("*.py") if path.name != "translations.py")
    assert [text for language in words for _, text in language if f'"{text}"' not in said] == []


def test_a_registration_that_fails_is_taken_back(tmp_path: Path) -> None:
    answer = in_blender(
        _TRACES
        + """
def fail(*_):
    raise RuntimeError("no more commands")

before, original = traces(), bpy.utils.register_cli_command
bpy.utils.register_cli_command = fail
failed = not enable()
after = traces()
bpy.utils.register_cli_command = original
answer = {"failed": failed, "clean": after == before, "then": enable()}
""",
        tmp_path,
    )
    assert answer == {"failed": True, "clean": True, "then": True}


def test_submit_is_possible_only_with_a_farm_that_may_be_asked(tmp_path: Path) -> None:
    farms = {
        ("http://127.0.0.1:9", ""): False,
        ("http://127.0.0.1:9", "rf_join_x"): False,
        ("http://farm.example:9", "rf_admin_x"): False,  # Blender's online access is off unless it is turned on
        ("http://127.0.0.1:9", "rf_admin_x"): True,
    }
    answer = in_blender(
        """
addon_utils.enable("addon", default_set=True)
preferences = bpy.context.preferences.addons["addon"].preferences
answer = [bpy.app.online_access]
for preferences.address, preferences.token in arguments["farms"]:
    answer.append(bpy.ops.renderfarm.submit.poll())
""",
        tmp_path,
        farms=list(farms),
    )
    assert answer == [False, *farms.values()]


def test_the_list_of_jobs_follows_the_farm_and_keeps_the_choice(tmp_path: Path) -> None:
    answer = in_blender(
        _ENABLE_AND_CONNECT
        + """
from dataclasses import replace
from addon import refresh
from addon.farm_job import FarmJob
from addon.jobs_feed import Heard
from addon.job_operators import chosen_job

feed = state.current().feed
listed = lambda: [[item.name for item in bpy.context.window_manager.renderfarm.jobs], chosen_job(bpy.context).name]
job = FarmJob(1, "first", "running", "", "", 10, 5, 0.5, None, False)
answer = []
for ids in ([1], [3, 2, 1], [3, 1]):
    feed._heard = Heard(answered=True, jobs=tuple(replace(job, id=number, name=f"job {number}") for number in ids))
    refresh._tick()
    answer.append(listed())
bpy.ops.wm.read_homefile()
assert chosen_job(bpy.context) is None
refresh._tick()
answer.append(listed())
class Sent:
    job = {"id": 4}
    jobs = [job]
    def cancel(self): pass
    def wait(self, _timeout): return True
    def progress(self): return "done"
state.current().sending = Sent()
feed._heard = replace(feed._heard, jobs=(replace(job, id=5, name="job 5"), replace(job, id=4, name="job 4")))
refresh._tick()
answer.append(listed())
assert state.current().unlisted_job is None
state.current().sending = None
""",
        tmp_path,
        address="http://127.0.0.1:9",
        token="rf_admin_x",
    )
    assert answer == [
        [["job 1"], "job 1"],
        [["job 3", "job 2", "job 1"], "job 1"],
        [["job 3", "job 1"], "job 1"],
        [["job 3", "job 1"], "job 3"],  # another file was opened
        [["job 5", "job 4"], "job 4"],  # just submitted
    ]


def test_findings_are_shown_for_the_scene_they_are_about_until_it_is_sent(tmp_path: Path) -> None:
    answer = in_blender(
        _ENABLE_AND_CONNECT
        + """
def shown():
    checked = state.current().checked
    return checked is not None and checked.is_about(bpy.context.scene)

answer = [shown()]
bpy.ops.renderfarm.check_scene()
answer.append(shown())
other = bpy.data.scenes.new("Other")
answer.append(state.current().checked.is_about(other))
bpy.ops.wm.save_as_mainfile(filepath=arguments["blend"])
answer.append(shown())
bpy.context.scene.camera = None
try:
    bpy.ops.renderfarm.submit()
except RuntimeError as error:  # a script hears of an operator's error like this
    answer.append("no active camera" in str(error))
answer.append(shown())
bpy.context.scene.camera = bpy.data.objects["Camera"]
bpy.ops.renderfarm.submit()
answer.append(shown())
state.stop()
""",
        tmp_path,
        address="http://127.0.0.1:9",
        token="rf_admin_x",
        blend=str(tmp_path / "other.blend"),
    )
    assert answer == [False, True, False, False, True, True, False]


_SUBMIT = (
    _ENABLE_AND_CONNECT
    + """
if arguments["blend"]:
    bpy.ops.wm.open_mainfile(filepath=arguments["blend"])
bpy.data.objects["Cube"].location.x = 3.0
bpy.context.scene.render.resolution_percentage = 10
bpy.ops.ed.undo_push(message="Move the cube")
def told():
    return [bpy.data.filepath, bpy.data.is_dirty, bpy.data.objects["Cube"].location.x]
before = told()
bpy.ops.renderfarm.submit()
sending = state.current().sending
ended = sending.wait(60)
answer = {
    "ended": ended,
    "stage": sending.progress().stage,
    "message": sending.progress().message,
    "job": sending.job,
    "before": before,
    "after": told(),
    "left": [path.name for path in Path(os.environ["TMPDIR"]).iterdir() if path.name.startswith("renderfarm-")],
}
"""
)


def submit(folder: Path, address: str, blend: Path | None) -> Any:
    return in_blender(_SUBMIT, folder, address=address, token=ADMIN_TOKEN, blend=str(blend) if blend else None)


def test_a_submission_leaves_the_file_as_it_is(tmp_path: Path) -> None:
    blend = tmp_path / "shots" / "010.blend"
    blend.parent.mkdir()
    in_blender('bpy.ops.wm.save_as_mainfile(filepath=arguments["blend"])', tmp_path, blend=str(blend))
    digest, changed = hashlib.sha256(blend.read_bytes()).hexdigest(), blend.stat().st_mtime_ns
    with running_farm(tmp_path / "farm") as farm:
        saved = submit(tmp_path, farm.url, blend)
        never_saved = submit(tmp_path, farm.url, None)
        jobs = farm.json("jobs")["items"]
    assert hashlib.sha256(blend.read_bytes()).hexdigest() == digest
    assert blend.stat().st_mtime_ns == changed
    assert [path.name for path in blend.parent.iterdir()] == ["010.blend"]
    for answer in (saved, never_saved):
        assert answer["stage"] == "done", answer["message"]
        assert answer["before"] == answer["after"]
        assert answer["left"] == []
    assert saved["after"] == [str(blend), True, 3.0]
    assert [(job["name"], job["state"], job["frames"]) for job in jobs] == [
        ("Untitled", "queued", "1-250"),
        ("010", "queued", "1-250"),
    ]


def test_blenders_own_command_line_submits(tmp_path: Path) -> None:
    command = (
        _ENABLE_AND_CONNECT
        + """
from addon import command_line
bpy.context.scene.renderfarm.job_name = "Saved with the scene"
answer = [command_line.submit(line) for line in arguments["lines"]]
"""
    )
    with running_farm(tmp_path / "farm") as farm:
        codes = in_blender(
            command,
            tmp_path,
            address=farm.url,
            token="rf_admin_wrong",
            lines=[
                ["--token", ADMIN_TOKEN, "--frames", "1-4", "--no-video", "--priority", "7"],
                ["--frames", "1-4"],  # the wrong token
                ["--token", ADMIN_TOKEN, "--frames", "4-1"],
                ["--token", ADMIN_TOKEN, "--scene", "Nowhere"],
            ],
        )
        jobs = farm.json("jobs")["items"]
    assert codes == [0, 1, 1, 1]
    (job,) = jobs
    assert (job["name"], job["frames"], job["video"], job["priority"]) == ("Saved with the scene", "1-4", False, 7)


def test_paths_are_collected_as_newer_blenders_list_them(tmp_path: Path) -> None:
    answer = in_blender(
        """
import wave
folder = Path(arguments["folder"])
image = bpy.data.images.new("still", 4, 4)
for name in ("still", "frame_0001", "frame_0002", "udim.1001", "profile"):
    image.filepath_raw, image.file_format = str(folder / f"{name}.png"), "PNG"
    image.save()
bpy.data.images.remove(image)
with wave.open(str(folder / "beep.wav"), "wb") as file:
    file.setparams((1, 2, 8000, 0, "NONE", "NONE"))
    file.writeframes(bytes(16000))
bpy.ops.wm.save_as_mainfile(filepath=str(folder / "scene.blend"))
bpy.data.images.load("//still.png").use_fake_user = True
sequence = bpy.data.images.load("//frame_0001.png")
sequence.source, sequence.use_fake_user = "SEQUENCE", True
bpy.data.images.load("//udim.<UDIM>.png").use_fake_user = True
editor = bpy.context.scene.sequence_editor_create()
strips = editor.strips if hasattr(editor, "strips") else editor.sequences
strips.new_image("stills", str(folder / "frame_0001.png"), 1, 1)
strips.new_sound("beep", str(folder / "beep.wav"), 2, 1)
cube = bpy.data.objects["Cube"]
cube.modifiers.new("cache", "MESH_CACHE").filepath = "//cube.mdd"
lamp = bpy.data.lights["Light"]
lamp.use_nodes = True
profile = lamp.node_tree.nodes.new("ShaderNodeTexIES")
profile.mode, profile.filepath = "EXTERNAL", "//profile.ies"
from addon import dependencies
mapped = dependencies.find_dependencies()
dependencies._of_map = lambda found: iter(())
answer = [[str(item) for item in found] for found in (dependencies.find_dependencies(), mapped)]
""",
        tmp_path,
        folder=str(tmp_path),
    )
    collected, listed = answer
    assert collected == listed
    assert len(collected) >= 6
