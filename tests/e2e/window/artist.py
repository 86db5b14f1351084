"""An artist at work: runs inside a Blender with a window, moves its mouse, and writes down what is to be seen.

Started by ``blender --enable-event-simulate -P``; plan.json says which farm there is, told.json is what comes out.
"""

import json
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bpy

FOLDER = Path("/tmp/window")  # noqa: S108 - the root's own, shared with the test
EXTENSION = "bl_ext.user_default.renderfarm"

#: Blender's own colour of a button, and how tall only the big one is, in pixels.
BUTTON, BIG = bytes((84, 84, 84)), 26
#: How near the camera's view is shown in the portrait, so that it fills the editor (Blender's own measure).
CLOSE = 48.0
#: Seconds: for Blender to take notice of the mouse, between two looks, and until something is given up.
NOTICE, LOOK, PATIENCE = 0.3, 0.1, 150.0

#: What a step waits for: seconds, or something to become true.
Wait = float | Callable[[], object]
Steps = Iterator[Wait]

plan = json.loads((FOLDER / "plan.json").read_text())
told: dict[str, Any] = {}


def the_window() -> Any:
    return bpy.context.window_manager.windows[0]


def the_panels() -> tuple[Any, Any]:
    """The properties editor and the region that the panels are in."""
    area = next(area for area in the_window().screen.areas if area.type == "PROPERTIES")
    return area, next(region for region in area.regions if region.type == "WINDOW")


def the_state() -> Any:
    return sys.modules[f"{EXTENSION}.state"].current()


def preferences() -> Any:
    return bpy.context.preferences.addons[EXTENSION].preferences


def point_at(x: int, y: int) -> Steps:
    the_window().event_simulate(type="MOUSEMOVE", value="NOTHING", x=x, y=y)
    yield NOTICE


def click(x: int, y: int) -> Steps:
    yield from point_at(x, y)
    for value in ("PRESS", "RELEASE"):
        the_window().event_simulate(type="LEFTMOUSE", value=value, x=x, y=y)
        yield NOTICE


def picture(name: str) -> Steps:
    """Take a picture of the screen, the mouse out of the way and everything drawn as it is now."""
    yield from point_at(40, 40)
    drawn: list[bool] = []

    def take_note(_panel: Any, _context: Any) -> None:
        drawn.append(True)

    bpy.types.RENDERFARM_PT_panel.append(take_note)
    the_panels()[0].tag_redraw()
    yield lambda: drawn
    bpy.types.RENDERFARM_PT_panel.remove(take_note)
    subprocess.run(["import", "-window", "root", str(FOLDER / f"{name}.png")], check=True)


def only_our_panels() -> None:
    """Close Blender's own panels in the tab, so that ours are to be seen as a whole."""
    for kind in bpy.types.Panel.__subclasses__():
        if getattr(kind, "bl_context", "") == "output" and kind.is_registered and "RENDERFARM" not in kind.__name__:
            bpy.utils.unregister_class(kind)


def big_button(share: float) -> tuple[int, int] | None:
    """Where the button is on the screen, so far from the left: the only thing in a button's colour that is so tall."""
    shot = subprocess.run(["import", "-window", "root", "-depth", "8", "rgb:-"], check=True, capture_output=True).stdout
    width, height = the_window().width, the_window().height
    _, region = the_panels()
    x = region.x + int(region.width * share)
    column = [shot[(y * width + x) * 3 :][:3] for y in range(height)]
    run = 0
    for y, colour in enumerate(column):
        run = run + 1 if colour == BUTTON else 0
        if run == BIG:
            return x, height - (y - BIG // 2)
    return None


def press_the_big_button(share: float = 0.25) -> Steps:
    yield from point_at(40, 40)
    yield lambda: big_button(share)
    if (place := big_button(share)) is not None:
        yield from click(*place)


def press_escape() -> Steps:
    _, region = the_panels()
    x, y = region.x + 20, region.y + 20
    yield from point_at(x, y)
    for value in ("PRESS", "RELEASE"):
        the_window().event_simulate(type="ESC", value=value, x=x, y=y)
        yield NOTICE


def show_our_panels(taller: int = 150) -> Any:
    """Make room for them (pixels), and return the properties editor."""
    area, _ = the_panels()
    area.spaces.active.context = "OUTPUT"
    only_our_panels()
    with bpy.context.temp_override(window=the_window()):
        bpy.ops.screen.area_move("EXEC_DEFAULT", x=area.x - 1, y=area.y + 100, delta=-180)
        bpy.ops.screen.area_move("EXEC_DEFAULT", x=area.x + 100, y=area.y + area.height + 1, delta=taller)
    return area


def portrait() -> Steps:
    """The picture for README: a scene as an artist has it open, while the farm renders it."""
    yield 1.0
    area = show_our_panels(taller=270)
    view = next(area for area in the_window().screen.areas if area.type == "VIEW_3D").spaces.active
    view.region_3d.view_perspective = "CAMERA"
    view.region_3d.view_camera_zoom = CLOSE
    view.overlay.show_overlays = view.show_gizmo = False
    view.shading.type = "MATERIAL"
    view.shading.use_scene_lights = view.shading.use_scene_world = True
    feed = the_state().feed
    preferences().address, preferences().token = plan["url"], plan["token"]
    area.tag_redraw()
    yield lambda: feed.latest().answered and not feed.latest().problem
    settings, name = bpy.context.scene.renderfarm, Path(bpy.data.filepath).stem
    settings.job_name, settings.frames, settings.use_percentage = f"{name} · first look", "1-4", True
    with bpy.context.temp_override(window=the_window()):
        bpy.ops.renderfarm.submit("EXEC_DEFAULT")
    yield lambda: (job := chosen_job()) is not None and job.state == "completed"
    for wish in ("job_name", "frames", "use_percentage"):
        settings.property_unset(wish)
    with bpy.context.temp_override(window=the_window()):
        bpy.ops.renderfarm.submit("EXEC_DEFAULT")
    yield lambda: (job := chosen_job()) is not None and job.name == name and job.progress > plan["share"]
    the_state().notice = ""
    yield 1.0  # the picture of the latest frame
    yield from picture("panel")


def work() -> Steps:
    """A visit to the farm, from the first sight of the panel to the finished film."""
    yield 1.0
    area = show_our_panels()
    refresh = sys.modules[f"{EXTENSION}.refresh"]
    yield lambda: bpy.app.timers.is_registered(refresh._tick)
    yield from picture("1_which_farm")

    feed = the_state().feed
    preferences().address, preferences().token = "http://127.0.0.1:1", "rf_admin_wrong"
    area.tag_redraw()
    yield lambda: feed.latest().problem
    told["unreachable"] = feed.latest().problem
    yield from picture("2_unreachable")
    preferences().address = plan["url"]
    area.tag_redraw()
    yield lambda: "no coordinator" not in feed.latest().problem and feed.latest().problem
    told["wrong_token"] = feed.latest().problem
    yield from picture("2_wrong_token")
    preferences().token = ""
    area.tag_redraw()
    yield from press_the_big_button(0.62)  # Connect…, beside its icon and its words
    yield lambda: (asked := the_state().connecting) is not None and asked.progress().code
    approval = the_state().connecting.progress()
    yield from picture("3_connecting")
    (FOLDER / "code").write_text(f"{approval.page} {approval.code}")  # the test approves it, as in a browser
    yield lambda: feed.latest().answered and not feed.latest().problem
    told["token"] = preferences().token[:9]
    yield from picture("4_ready")

    camera, bpy.context.scene.camera = bpy.context.scene.camera, None
    yield from press_the_big_button()
    yield lambda: the_state().checked is not None
    told["problems"] = [problem.code for problem in the_state().checked.problems]
    told["sent_in_spite_of_problems"] = the_state().sending is not None
    yield from picture("5_problems")
    bpy.context.scene.camera = camera

    bpy.data.objects["Cube"].location.z = 0.5
    bpy.ops.ed.undo_push(message="Lift the cube")
    before = what_the_artist_has()
    yield from press_the_big_button()
    yield lambda: the_state().is_sending and the_state().sending.progress().stage == "uploading"
    yield from picture("6_uploading")
    told["sending_while_the_window_lives"] = the_state().is_sending
    yield from press_escape()
    (FOLDER / "open").touch()  # the test lets the upload pass now
    yield lambda: not the_state().is_sending
    told["after_escape"] = the_state().sending.progress().stage
    yield from picture("7_cancelled")
    yield from press_the_big_button()

    yield lambda: (job := chosen_job()) is not None and job.name == "010" and job.progress > 0.2
    yield from picture("8_running")
    yield lambda: not chosen_job().under_way and the_state().notice
    told["job"] = {"id": chosen_job().id, "name": chosen_job().name, "state": chosen_job().state}
    told["notice"] = the_state().notice
    told["before"], told["after"] = before, what_the_artist_has()
    bpy.ops.ed.undo()
    told["undone_to"] = bpy.data.objects["Cube"].location.z

    editor = next(area for area in the_window().screen.areas if area.type == "VIEW_3D")
    editor.ui_type = "IMAGE_EDITOR"
    with bpy.context.temp_override(window=the_window()):
        bpy.ops.renderfarm.follow_frames()
        bpy.ops.renderfarm.download_here()
    yield lambda: not the_state().is_downloading
    yield lambda: editor.spaces.active.image is not None
    told["downloaded"] = sorted(path.name for path in (FOLDER / "shots" / "render").iterdir())
    told["shown"] = list(editor.spaces.active.image.size)
    bpy.ops.renderfarm.add_strip(what="FRAMES")
    bpy.ops.renderfarm.add_strip(what="VIDEO")
    editing = bpy.context.scene.sequence_editor
    strips = editing.strips if hasattr(editing, "strips") else editing.sequences  # before 4.4
    told["strips"] = sorted([strip.type, strip.frame_final_duration] for strip in strips)
    yield from picture("9_done")

    with bpy.context.temp_override(window=the_window()):
        bpy.ops.renderfarm.follow_frames()
    spoil(chosen_job().id)
    yield lambda: feed.ask_now() or feed.latest().jobs[0].state == "failed"
    bpy.context.window_manager.renderfarm.active = 0
    area.tag_redraw()
    yield from picture("10_failed")

    screen = the_window().screen
    area.ui_type = "OUTLINER"
    yield lambda: not bpy.app.timers.is_registered(refresh._tick) or the_state().notice
    the_state().notice = ""
    yield lambda: not bpy.app.timers.is_registered(refresh._tick)
    told["areas"] = len(screen.areas)


def spoil(job_id: int) -> None:
    """Submit the job once more, so that it must fail."""
    connection = sys.modules[f"{EXTENSION}.chosen_farm"].chosen_connection(bpy.context)
    with connection.client() as client:
        render = {**client.job(job_id)["render"], "view_layers": ["Nowhere"]}
        client.rerender(job_id, {"name": "Spoilt", "render": render})


def chosen_job() -> Any:
    return sys.modules[f"{EXTENSION}.job_operators"].chosen_job(bpy.context)


def what_the_artist_has() -> list[Any]:
    return [bpy.data.filepath, bpy.data.is_dirty, bpy.data.objects["Cube"].location.z, len(bpy.data.objects)]


class Day:
    """Takes one step after the other, from Blender's timer."""

    def __init__(self) -> None:
        self.steps = portrait() if plan.get("portrait") else work()
        self.wait: Wait = 0.0
        self.since = time.monotonic()

    def __call__(self) -> float | None:
        try:
            return self.go_on()
        except StopIteration:
            told["finished"] = True
        except Exception:  # noqa: BLE001 - the test outside must hear of it, and Blender must end
            told["trouble"] = traceback.format_exc()
            subprocess.run(["import", "-window", "root", str(FOLDER / "trouble.png")], check=False)
        (FOLDER / "told.json").write_text(json.dumps(told))
        bpy.ops.wm.quit_blender()
        return None

    def go_on(self) -> float:
        """Take the next step when the last one's wait is over; return the seconds until the next look."""
        if callable(self.wait) and not self.wait():
            assert time.monotonic() - self.since < PATIENCE, f"waited in vain: {the_state().feed.latest()}"
            return LOOK
        self.wait = next(self.steps)
        self.since = time.monotonic()
        return LOOK if callable(self.wait) else self.wait


bpy.app.timers.register(Day(), persistent=True)
