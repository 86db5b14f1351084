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
#: Seconds: for Blender to take notice of the mouse, between two looks, and until something is given up.
NOTICE, LOOK, PATIENCE = 0.3, 0.1, 60.0

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


def scroll_to_the_end() -> Steps:
    _, region = the_panels()
    x, y = region.x + 8, region.y + 40
    yield from point_at(x, y)
    for _ in range(2):  # the first turn brings things into sight that make the region longer
        for _ in range(30):
            the_window().event_simulate(type="WHEELDOWNMOUSE", value="PRESS", x=x, y=y)
        yield NOTICE


def picture(name: str) -> Steps:
    yield from scroll_to_the_end()
    subprocess.run(["import", "-window", "root", str(FOLDER / f"{name}.png")], check=True)


def submit_button() -> tuple[int, int]:
    """Where the button is on the screen: the only thing in a button's colour that is so tall."""
    shot = subprocess.run(["import", "-window", "root", "-depth", "8", "rgb:-"], check=True, capture_output=True).stdout
    width, height = the_window().width, the_window().height
    _, region = the_panels()
    x = region.x + region.width // 4
    column = [shot[(y * width + x) * 3 :][:3] for y in range(height)]
    run = 0
    for y, colour in enumerate(column):
        run = run + 1 if colour == BUTTON else 0
        if run == BIG:
            return x, height - (y - BIG // 2)
    raise AssertionError("there is no Submit button to be seen")


def press_submit() -> Steps:
    yield from scroll_to_the_end()
    yield from click(*submit_button())


def work() -> Steps:
    """A visit to the farm, from the first sight of the panel to the finished film."""
    yield 1.0
    area, _ = the_panels()
    area.spaces.active.context = "OUTPUT"
    with bpy.context.temp_override(window=the_window()):
        bpy.ops.screen.area_move("EXEC_DEFAULT", x=area.x - 1, y=area.y + 100, delta=-180)
        bpy.ops.screen.area_move("EXEC_DEFAULT", x=area.x + 100, y=area.y + area.height + 1, delta=150)
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
    yield from picture("3_wrong_token")
    preferences().token = plan["token"]
    area.tag_redraw()
    yield lambda: feed.latest().answered and not feed.latest().problem
    yield from picture("4_ready")

    camera, bpy.context.scene.camera = bpy.context.scene.camera, None
    yield from press_submit()
    yield lambda: the_state().checked is not None
    told["problems"] = [problem.code for problem in the_state().checked.problems]
    told["sent_in_spite_of_problems"] = the_state().sending is not None
    yield from picture("5_problems")
    bpy.context.scene.camera = camera

    bpy.data.objects["Cube"].location.z = 0.5
    bpy.ops.ed.undo_push(message="Lift the cube")
    before = what_the_artist_has()
    yield from press_submit()
    yield lambda: the_state().is_sending and the_state().sending.progress().stage == "uploading"
    yield from picture("6_uploading")
    told["sending_while_the_window_lives"] = the_state().is_sending
    (FOLDER / "open").touch()  # the test lets the upload pass now

    yield lambda: (job := chosen_job()) is not None and job.name == "010" and job.progress > 0.3
    yield from picture("7_running")
    yield lambda: not chosen_job().under_way
    yield from picture("8_done")
    told["job"] = {"id": chosen_job().id, "name": chosen_job().name, "state": chosen_job().state}

    told["before"], told["after"] = before, what_the_artist_has()
    bpy.ops.ed.undo()
    told["undone_to"] = bpy.data.objects["Cube"].location.z


def chosen_job() -> Any:
    return sys.modules[f"{EXTENSION}.operators"].chosen_job(bpy.context)


def what_the_artist_has() -> list[Any]:
    return [bpy.data.filepath, bpy.data.is_dirty, bpy.data.objects["Cube"].location.z, len(bpy.data.objects)]


class Day:
    """Takes one step after the other, from Blender's timer."""

    def __init__(self) -> None:
        self.steps = work()
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
