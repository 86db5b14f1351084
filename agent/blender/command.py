"""The command line and the environment that start a session's Blender (pure)."""

from collections.abc import Mapping
from pathlib import Path

from agent.blender.locate import Blender
from agent.blender.sandbox import Bounds

HOST = Path(__file__).with_name("host.py")


def session_argv(blender: Blender, bounds: Bounds | None, commands_fd: int, events_fd: int) -> list[str]:
    """Return the command line of a session that talks over these two descriptors."""
    pipes = ["--commands-fd", str(commands_fd), "--events-fd", str(events_fd)]
    if bounds is not None:
        pipes += ["--memory-bytes", str(bounds.memory_bytes)]
        if bounds.processes is not None:
            pipes += ["--processes", str(bounds.processes)]
    if blender.kind == "bpy":
        # -I: neither the environment nor the working folder brings modules in.
        return [str(blender.path), "-I", str(HOST), *pipes]
    return [
        str(blender.path),
        "--background",
        "--factory-startup",
        "--disable-autoexec",
        "--python-exit-code",
        "3",
        "--python",
        str(HOST),
        "--",
        *pipes,
    ]


def session_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for Blender: the agent's, without its tokens and without a person's Blender settings.

    Cards are counted by their places on the bus, as ``nvidia-smi`` does, unless a person chose otherwise.
    """
    hidden = ("RENDERFARM_", "BLENDER_", "PYTHON")
    kept = {name: value for name, value in environment.items() if not name.startswith(hidden)}
    return {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", **kept}
