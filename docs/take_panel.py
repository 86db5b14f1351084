"""Take the picture of the panel in Blender that README shows, from a farm that runs: ``make demo`` beside it, then

python docs/take_panel.py http://127.0.0.1:8420 rf_admin_…
"""

import argparse
import json
import runpy
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).parents[1]
IMAGE = Path(__file__).parent / "images" / "panel.png"

#: How much of the job is rendered in the picture.
SHARE = 0.4

#: Makes the demo's scene in the root's Blender, which has no numpy: the files beside it were made here.
_SCENE = """
import sys, types
from pathlib import Path
import bpy
sys.modules["numpy"] = types.ModuleType("numpy")
sys.path.insert(0, "/tmp/window")
import demo_scene
demo_scene.write_texture = demo_scene.write_sound = lambda path: None
# First: making the scene begins with Blender's own preferences.
bpy.context.preferences.view.show_splash = False
bpy.ops.wm.save_userpref()
demo_scene.make(Path("/tmp/window/shots"))
"""

#: Inside the Debian root; its screen is its own.
_DESK = """
set -eu
blender -b --command extension install-file -r user_default -e "$1"
blender -b --python-exit-code 1 --python scene.py
Xvfb :0 -screen 0 1600x1040x24 -nolisten tcp -nolisten local 2>xvfb.log &
until [ -S /tmp/.X11-unix/X0 ]; do sleep 0.05; done
DISPLAY=:0 blender --window-geometry 0 0 1600 1040 --enable-event-simulate -noaudio \\
  --python-exit-code 1 shots/still_life.blend --python artist.py
"""


def take_picture(url: str, token: str, image: Path) -> None:
    """Open the demo's scene in a Blender with a window, submit it, and save what is to be seen.

    Raises:
        RuntimeError: something went wrong in Blender; the text says what.
    """
    with tempfile.TemporaryDirectory() as folder:
        desk = Path(folder)
        shutil.copy(PROJECT / "tests" / "e2e" / "window" / "artist.py", desk)
        shutil.copy(PROJECT / "examples" / "demo_scene.py", desk)
        (desk / "scene.py").write_text(_SCENE)
        subprocess.run([sys.executable, desk / "demo_scene.py", desk / "shots"], check=True)
        extension: Path = runpy.run_path(str(PROJECT / "deploy" / "build_addon.py"))["build"](PROJECT / "addon", desk)
        plan = {"url": url, "token": token, "portrait": True, "share": SHARE}
        (desk / "plan.json").write_text(json.dumps(plan))
        subprocess.run(
            [PROJECT / "deploy" / "window_root.sh", "run", desk, "sh", "-c", _DESK, "desk", extension.name], check=True
        )
        told = json.loads((desk / "told.json").read_text())
        if not told.get("finished"):
            raise RuntimeError(told.get("trouble"))
        shutil.copy(desk / "panel.png", image)
    print(image)  # noqa: T201 - what a script for the terminal is for


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="address of the coordinator")
    parser.add_argument("token", help="an admin token")
    parser.add_argument("--image", type=Path, default=IMAGE, help="where the picture goes (docs/images/panel.png)")
    arguments = parser.parse_args()
    take_picture(arguments.url, arguments.token, arguments.image)


if __name__ == "__main__":
    main()
