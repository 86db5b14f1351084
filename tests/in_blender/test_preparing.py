"""A scene is looked at and sent in small steps, and what is sent is of one moment; findings are mended by a button."""

from pathlib import Path

import pytest

from tests.e2e.farm import ADMIN_TOKEN, running_farm
from tests.in_blender.blender import in_blender

pytestmark = pytest.mark.slow

_BEGIN = """
addon_utils.enable("addon", default_set=True)
preferences = bpy.context.preferences.addons["addon"].preferences
preferences.address, preferences.token = arguments.get("address", "http://127.0.0.1:9"), "rf_admin_x"
from addon import state
from addon.connection import Connection
from addon.farm_facts import FarmFacts
from addon.preparing import Preparation

scene = bpy.context.scene
farm = Connection("http://127.0.0.1:9", "rf_admin_x")
def prepare(farm=farm):
    return Preparation(scene, None, FarmFacts(), farm)
def handlers():
    names = ("depsgraph_update_post", "undo_post", "redo_post", "load_post")
    return [len(getattr(bpy.app.handlers, name)) for name in names]
"""


def test_it_goes_on_step_by_step_and_leaves_no_handler(tmp_path: Path) -> None:
    answer = in_blender(
        _BEGIN
        + """
before = handlers()
preparing, steps, listened = prepare(), 0, None
while preparing.active:
    preparing.advance(0.0)
    steps += 1
    listened = listened or handlers()
answer = {
    "steps": steps,
    "listens": listened != before,
    "quiet": handlers() == before,
    "ready": preparing.submission is not None,
    "error": preparing.error,
}
preparing.submission.start()
preparing.submission.cancel()
preparing.submission.wait(10)
cancelled = prepare()
cancelled.advance(0.0)
cancelled.cancel()
answer["cancelled"] = [cancelled.active, cancelled.submission, handlers() == before]
""",
        tmp_path,
    )
    assert answer["steps"] > 4
    assert answer["listens"]
    assert answer["quiet"]
    assert answer["ready"], answer["error"]
    assert answer["cancelled"] == [False, None, True]


def test_a_change_meanwhile_has_it_begin_anew(tmp_path: Path) -> None:
    answer = in_blender(
        _BEGIN
        + """
preparing = prepare(None)
preparing.advance(0.0)
preparing.advance(0.0)
scene.frame_end = 99
preparing._notice()
while preparing.active:
    preparing.advance(0.0)
answer = [preparing.checked.snapshot.frame_end]
restless = prepare(None)
turns = 0
while restless.active:
    restless._notice()
    restless.advance(0.0)
    turns += 1
answer.append(turns < 100 and restless.checked is not None)
gone = prepare()
gone.advance(0.0)
bpy.ops.wm.save_as_mainfile(filepath=arguments["blend"])
gone._notice()
gone.finish()
answer.append(gone.error)
""",
        tmp_path,
        blend=str(tmp_path / "other.blend"),
    )
    assert answer == [99, True, "Another file was opened; nothing was sent."]


def test_warnings_are_asked_about_and_errors_end_it(tmp_path: Path) -> None:
    answer = in_blender(
        _BEGIN
        + """
scene.renderfarm.frames = "300"
asking = prepare()
while asking.active and not asking.asking:
    asking.advance(0.0)
answer = [asking.asking, asking.submission is None]
asking.confirm()
while asking.active:
    asking.advance(0.0)
answer.append(asking.submission is not None)
asking.submission.start()
asking.submission.cancel()
asking.submission.wait(10)
scene.camera = None
failing = prepare()
while failing.active:
    failing.advance(0.0)
answer += [failing.submission is None, "no active camera" in failing.error]
""",
        tmp_path,
    )
    assert answer == [True, True, True, True, True]


def test_findings_are_mended_by_their_buttons(tmp_path: Path) -> None:
    answer = in_blender(
        _BEGIN
        + """
def found():
    bpy.ops.renderfarm.check_scene()
    return {problem.code: problem.fix for problem in state.current().checked.problems}

answer = []
def mend(code):
    before = found()
    bpy.ops.renderfarm.fix(fix=before[code])
    answer.append([code, code in {problem.code for problem in state.current().checked.problems}])

settings = scene.renderfarm
scene.camera = None
mend("no_camera")
for camera in list(bpy.data.cameras):
    bpy.data.cameras.remove(camera)
mend("no_camera")
settings.frames = "1-"
mend("bad_frames")
settings.frames = "400"
mend("outside_range")
settings.use_view_layers = True
for layer in scene.view_layers:
    layer.renderfarm.wanted = False
mend("no_layer")
scene.view_layers[0].use = False
mend("no_layer")
scene.render.image_settings.file_format = "TARGA"
mend("other_format")
text = bpy.data.texts.new("rig.py")
text.use_module = True
mend("scripts")
scene.render.use_multiview = True
scene.render.image_settings.file_format = "OPEN_EXR"
scene.render.image_settings.views_format = "MULTIVIEW"
mend("multiview")
""",
        tmp_path,
    )
    assert answer == [[code, False] for code, _ in answer]
    assert len(answer) == 9


def test_every_camera_gets_a_job_and_a_folder_of_its_own(tmp_path: Path) -> None:
    with running_farm(tmp_path / "farm") as farm:
        answer = in_blender(
            _BEGIN
            + """
preferences.token = arguments["token"]
other = bpy.data.objects.new("Top", bpy.data.cameras.new("Top"))
scene.collection.objects.link(other)
scene.renderfarm.cameras = "EACH"
scene.render.filepath = "/shots/beauty_"
bpy.ops.renderfarm.submit()
sending = state.current().sending
sending.wait(60)
from addon.destinations import recall
answer = [sending.progress().message]
for job in sending.jobs:
    where = recall(preferences.address, job["id"]).placement(job["name"])
    answer.append([job["name"], job["render"]["camera"], str(where.frame(1, "0001.png"))])
""",
            tmp_path,
            address=farm.url,
            token=ADMIN_TOKEN,
        )
        jobs = farm.json("jobs")["items"]
    assert answer[1:] == [
        ["Untitled · Camera", "Camera", "/shots/Camera/beauty_0001.png"],
        ["Untitled · Top", "Top", "/shots/Top/beauty_0001.png"],
    ], answer
    assert len({job["pack"] for job in jobs}) == 1
    assert len(jobs) == 2


def test_who_is_written_to_is_the_artists_own_and_asked_of_farms_that_can(tmp_path: Path) -> None:
    answer = in_blender(
        _BEGIN
        + """
from addon.wishes import read_wishes
def notified(facts):
    return read_wishes(scene, facts).farm["notify"]
answer = [notified(FarmFacts(version="1", sends_mail=True))]
preferences.email = " ana@example.com "
answer += [notified(facts) for facts in (FarmFacts(version="1", sends_mail=True), None, FarmFacts(version="1"))]
""",
        tmp_path,
    )
    assert answer == [[], ["ana@example.com"], ["ana@example.com"], []]
