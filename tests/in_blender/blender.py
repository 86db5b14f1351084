"""Runs a piece of Python in a Blender of its own (the ``bpy`` module, no window) and returns what it answers."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.e2e.farm import clean_environment

PROJECT = Path(__file__).parents[2]

#: Nothing here takes longer on a slow machine with both cores busy, in seconds.
PATIENCE = 120.0

_PROGRAM = """
import json, os, sys, traceback
from pathlib import Path
sys.path.insert(0, sys.argv[1])
arguments, answer = json.loads(sys.argv[2]), None
import bpy, addon_utils  # in this order: Blender brings the other
try:
{body}
    with open(sys.argv[3], "w") as file:
        json.dump(answer, file)
except BaseException:
    traceback.print_exc()
sys.stdout.flush()
sys.stderr.flush()
os._exit(0)  # Blender may hang in its own clean-up.
"""


def in_blender(body: str, folder: Path, /, **arguments: Any) -> Any:
    """Return what ``body`` puts into ``answer``; it finds ``arguments`` by name in a dictionary.

    ``folder`` is where Blender keeps its preferences, and where its temporary files go.
    """
    result, program = folder / "answer.json", folder / "program.py"
    result.unlink(missing_ok=True)
    program.write_text(_PROGRAM.format(body="\n".join(f"    {line}" for line in body.splitlines())))
    (folder / "tmp").mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-W", "default", str(program), str(PROJECT), json.dumps(arguments), str(result)],
        env=clean_environment(BLENDER_USER_RESOURCES=str(folder / "blender"), TMPDIR=str(folder / "tmp")),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert result.exists(), done.stdout
    return json.loads(result.read_text())
