"""Runs a piece of Python in a Blender of its own (the ``bpy`` module, no window) and returns what it answers."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agent.blender.confine import find_sandbox
from agent.blender.sandbox import sandbox_environment
from agent.scratch import Scratch
from tests.e2e.farm import clean_environment
from tests.in_blender.session_scenes import BLENDERS

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
    program.write_text(_program(body))
    (folder / "tmp").mkdir(exist_ok=True)
    return _answer(
        [sys.executable, "-W", "default", str(program), str(PROJECT), json.dumps(arguments), str(result)],
        clean_environment(BLENDER_USER_RESOURCES=str(folder / "blender"), TMPDIR=str(folder / "tmp")),
        result,
    )


def in_sandbox(body: str, packs: Path, /, **arguments: Any) -> tuple[Any, Path]:
    """Return what ``body`` puts into ``answer``, and the folder that it wrote to, ``arguments["output"]``.

    It runs as an agent's Blender does: in the agent's own sandbox, which sees the folder ``packs`` and nothing else of
    what tests make.
    """
    folder = packs.parent / "agent"
    sandbox = find_sandbox(BLENDERS[0], folder, cards=False)
    scratch = Scratch.make(folder / "sessions", 0, sandboxed=sandbox.as_root)
    program = _program(body)
    result = scratch.output / "answer.json"
    given = json.dumps({**arguments, "output": str(scratch.output)})
    argv = [str(BLENDERS[0].path), "-I", "-c", program, str(PROJECT), given, str(result)]
    answer = _answer(sandbox.command(scratch.cell(packs, 0), argv), sandbox_environment(os.environ), result)
    return answer, scratch.output


def _program(body: str) -> str:
    return _PROGRAM.format(body="\n".join(f"    {line}" for line in body.splitlines()))


def _answer(argv: Sequence[str], environment: Mapping[str, str], result: Path) -> Any:
    """Run a program and return what it wrote to ``result``."""
    done = subprocess.run(
        argv,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert result.exists(), done.stdout
    return json.loads(result.read_text())
