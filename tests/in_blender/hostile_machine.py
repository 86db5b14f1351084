"""A machine with secrets on it, where hostile scenes are opened as an agent opens them, shut in and not."""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from agent.blender.output import Opened
from agent.blender.sandbox import Sandbox
from agent.blender.session import Session, SessionError
from agent.scratch import Scratch, clear_sessions
from coordinator.protocol import ImageFormat, RenderSpec
from tests.in_blender import hostile_scenes
from tests.in_blender.session_scenes import BLENDERS

BLENDER = BLENDERS[0]

#: Every attack ends with this: what it found out is written into the only folder there is.
_REPORT = """
import glob, json, os
def report(**found):
    for folder in glob.glob(OUTPUT):
        with open(os.path.join(folder, "found.json"), "w") as file:
            json.dump(found, file)
"""


@dataclass(frozen=True)
class Outcome:
    """What a session left behind."""

    opened: Opened
    scratch: Scratch
    failure: str | None
    """The code of what became of the render."""

    @property
    def found(self) -> dict[str, Any]:
        """What the attack reported."""
        found: dict[str, Any] = json.loads((self.scratch.output / "found.json").read_text())
        return found

    @property
    def pixels(self) -> np.ndarray[Any, Any]:
        """The picture's brightness."""
        with Image.open(self.scratch.output / "frame.png") as picture:
            return np.asarray(picture.convert("L"))


@dataclass
class Machine:
    """An agent's folder with a secret, and another job's files, beside which hostile scenes are opened."""

    root: Path
    sandbox: Sandbox

    @property
    def token(self) -> Path:
        return self.root / "agent/coordinators/farm/identity.json"

    @property
    def others_frame(self) -> Path:
        return self.root / "agent/coordinators/farm/frames/lease/1/frame.png"

    @property
    def pack(self) -> Path:
        return self.root / "agent/inputs/packs/hostile"

    def attack(self, body: str, *, scene: str = hostile_scenes.AUTO_RUN) -> None:
        """Make a scene that brings ``body`` along."""
        output = json.dumps(str(self.root / "agent/sessions/*/output"))
        hostile_scenes.make(BLENDER, scene, self.pack, attack=f"OUTPUT = {output}\n{_REPORT}\n{body}")

    def run(self, *, shut_in: bool = True, allow_scripts: bool = True, render: bool = False) -> Outcome:
        """Open the scene as an agent does, and render it if wanted; the session has ended on return."""
        clear_sessions(self.root / "agent/sessions")
        scratch = Scratch.make(self.root / "agent/sessions", 0, sandboxed=shut_in and self.sandbox.as_root)
        (scene,) = self.pack.glob("*.blend")

        async def session() -> Outcome:
            cell = (self.sandbox, scratch.cell(self.pack, 0)) if shut_in else None
            session = await Session.start(BLENDER, self.root / "log", None, cell)
            failure = None
            try:
                opened = await session.open(scene, {}, scratch.extras, allow_scripts=allow_scripts)
                await session.configure(RenderSpec(scene="Scene"), ImageFormat.PNG, "CPU", 1)
                if render:
                    names = (scratch.output / "frame.png", scratch.output / "preview.jpg", None)
                    await session.render(1, *names, lambda _: None)
            except SessionError as error:
                if not render:
                    raise
                failure = error.code
            finally:
                await session.kill()
            return Outcome(opened, scratch, failure)

        return asyncio.run(session())
