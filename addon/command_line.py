"""``blender -b FILE --command farm_submit …``: submit from a shell with nothing but Blender and this extension.

The terminal's own ``renderfarm submit`` can do more; this one needs nothing to be installed beside Blender.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import replace

import bpy

from .chosen_farm import preferences_of
from .client import FarmError
from .connection import connect
from .farm_facts import read_facts
from .pack_plan import PackError
from .preflight import Severity
from .sending import SceneSubmission, check_scene, prepare
from .submission import Overrides

#: Seconds between two lines that tell how far the upload is.
_TELL_SECONDS = 5.0


def submit(arguments: Sequence[str]) -> int:
    """Submit the scene that Blender has open; return the exit code: 0 when the job was made."""
    options = _parser().parse_args(arguments)
    preferences = preferences_of(bpy.context)
    scene = bpy.data.scenes.get(options.scene) if options.scene else bpy.context.scene
    if scene is None:
        return _fail(f"The file has no scene named “{options.scene}”.")
    try:
        farm = connect(
            options.coordinator or preferences.address,
            options.token or preferences.token,
            online_access=bpy.app.online_access,
            offline_for_good=bpy.app.online_access_override,
        )
        with farm.client() as client:
            facts = read_facts(client)
        checked = check_scene(scene, lambda settings: _changed(settings, options), facts)
        for problem in checked.problems:
            print(f"{problem.severity.capitalize()}: {problem}", file=sys.stderr)
        if checked.problems_of(Severity.ERROR):
            return 1
        return _send(prepare(checked, farm))
    except (FarmError, PackError, RuntimeError, OSError) as error:
        return _fail(str(error))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="blender -b FILE --command farm_submit", description="Submit FILE to the render farm, as it is saved."
    )
    address, token = os.environ.get("RENDERFARM_COORDINATOR"), os.environ.get("RENDERFARM_TOKEN")
    parser.add_argument("--coordinator", default=address, help="the farm's address; otherwise the preferences'")
    parser.add_argument("--token", default=token, help="an admin token of the farm; otherwise the preferences'")
    parser.add_argument("--scene", help="the scene to render; otherwise the one last shown")
    parser.add_argument("--name", help="what the job is called")
    parser.add_argument("--frames", help="such as 1-10, 1,3,5-9 or 1-100:5; otherwise the scene's own range")
    parser.add_argument("--samples", type=int)
    parser.add_argument("--percent", type=int, help="percentage of the scene's resolution")
    parser.add_argument("--priority", type=int, help="0 to 100, higher first")
    parser.add_argument("--video", action=argparse.BooleanOptionalAction, help="make an MP4 of the frames")
    return parser


def _changed(settings: Overrides, options: argparse.Namespace) -> Overrides:
    """Return the settings saved with the scene, with what the command line says otherwise."""
    said = {
        "name": options.name,
        "frames": options.frames,
        "samples": options.samples,
        "percentage": options.percent,
        "priority": options.priority,
        "video": options.video,
    }
    return replace(settings, **{name: value for name, value in said.items() if value is not None})


def _send(submission: SceneSubmission) -> int:
    submission.start()
    try:
        while not submission.wait(_TELL_SECONDS):
            progress = submission.progress()
            print(f"{progress.message}: {progress.fraction:.0%}", file=sys.stderr)
    except KeyboardInterrupt:
        submission.cancel()
        submission.wait()
    for job in submission.jobs:
        print(f"Submitted “{job['name']}” as job {job['id']}.")
    if submission.job is None:
        return _fail(str(submission.error or "Cancelled; no job was made."))
    return 0


def _fail(sentence: str) -> int:
    print(f"Error: {sentence}", file=sys.stderr)
    return 1
