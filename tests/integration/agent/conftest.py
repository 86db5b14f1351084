"""A stand-in for the coordinator, a scene, and the settings of an agent that joins it."""

import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent.settings import AgentSettings, read_settings
from tests.integration.agent.stand_in import JOIN_TOKEN, StandIn, running

MAKE_SCENE = """
import os, sys, bpy
scene = bpy.context.scene
scene.render.engine = "CYCLES"
scene.cycles.use_denoising = scene.cycles.use_adaptive_sampling = False
scene.render.resolution_x, scene.render.resolution_y = 64, 48
bpy.ops.wm.save_as_mainfile(filepath=sys.argv[1])
sys.stdout.flush()
os._exit(0)
"""


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return a small scene's file."""
    path = tmp_path_factory.mktemp("scene") / "scene.blend"
    subprocess.run([sys.executable, "-I", "-c", MAKE_SCENE, str(path)], check=True, capture_output=True, timeout=120)
    return path.read_bytes()


@pytest.fixture
async def farm() -> AsyncIterator[StandIn]:
    """A stand-in that answers."""
    async with running(StandIn()) as stand_in:
        yield stand_in


@pytest.fixture
def settings(farm: StandIn, tmp_path: Path) -> AgentSettings:
    """Settings of an agent that joins it."""
    options = {
        "coordinator": farm.url,
        "join_token": JOIN_TOKEN,
        "name": "box",
        "dir": str(tmp_path / "agent"),
        "device": "CPU",
        "blender": "bpy",
        "threads": "1",
        "tags": "big",
        "pools": "lighting",
        "engines": "CYCLES",
        "cache_gb": "1",
    }
    return read_settings({}, options)
