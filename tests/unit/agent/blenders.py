"""Stand-ins for Blender: real processes that speak the session protocol as a test says."""

from pathlib import Path

from agent.blender.locate import Blender

_HEAD = """#!/usr/bin/env python3
import json, os, signal, sys, time
if "--version" in sys.argv:
    print("Blender 4.5.0")
    sys.exit()
commands = os.fdopen(int(sys.argv[sys.argv.index("--commands-fd") + 1]), "r")
events = int(sys.argv[sys.argv.index("--events-fd") + 1])
def say(**event):
    os.write(events, (json.dumps(event) + "\\n").encode())
say(event="ready", blender=[4, 5, 0])
"""

DESCRIBED = """
commands.readline()
with open(os.path.join(os.path.dirname(sys.argv[0]), "asked"), "a") as file:
    file.write("asked\\n")
say(event="described", engines=["CYCLES"], denoisers=[],
    devices=[{"type": "CUDA", "name": "RTX 4090", "id": "CUDA_RTX 4090_0000:01:00"}])
commands.readline()
"""
"""One that tells what it can do, and counts how often it did in a file beside it."""


def child(folder: Path, body: str) -> Blender:
    """Make an executable that behaves as ``body`` says once it is ready."""
    path = folder / "blender"
    path.write_text(_HEAD + body)
    path.chmod(0o755)
    return Blender((4, 5, 0), "executable", path)
