"""The script that runs inside Blender: takes commands from one pipe, answers on another (docs/PROTOCOL.md).

Started as ``python -I host.py --commands-fd N --events-fd M`` where Blender is the ``bpy`` module, and as
``blender -b --factory-startup --python-exit-code 3 -P host.py -- --commands-fd N --events-fd M`` otherwise.
"""

import argparse
import faulthandler
import inspect
import json
import os
import queue
import resource
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import bpy

# Blender's Python knows nothing of the agent's folder.  It stays on the path only for these imports, so that the scene
# cannot reach the agent's libraries.
_ROOT = str(Path(__file__).resolve().parents[2])
sys.path.insert(0, _ROOT)
try:
    from agent.blender.inside.abilities import abilities
    from agent.blender.inside.bounds import keep_within
    from agent.blender.inside.configure import configure, find_scene, frame_size
    from agent.blender.inside.engines import engine_place, lost_engines
    from agent.blender.inside.errors import CommandError
    from agent.blender.inside.file_outputs import mute_file_outputs, redirect_file_outputs
    from agent.blender.inside.missing import missing_files
    from agent.blender.inside.overrides import Overrides
    from agent.blender.inside.pictures import EXTENSIONS, render_path, save_display, save_preview
    from agent.blender.inside.remap import remap_files
    from agent.blender.inside.scenes import active_scene, scenes
    from agent.blender.inside.sound import mix_sound
    from agent.blender.inside.stats import RenderStats, parse_stats
    from agent.blender.inside.views import forget_views, lay_beside
finally:
    sys.path.remove(_ROOT)

#: Progress is told at most this often (seconds).
PROGRESS_INTERVAL = 0.25

#: That something happens while no sample gets done is told this often: the agent takes a silent Blender for hung.
SIGN_INTERVAL = 2.0

EXIT_CLOSED = 0
EXIT_FAILED = 3
EXIT_AGENT_GONE = 4


class Pipe:
    """Both ends of the conversation with the agent.

    A thread waits for commands, so that it notices the agent's death while a frame renders: Blender lets other threads
    run meanwhile.  Without the agent there is nobody to render for, and the process ends at once.
    """

    def __init__(self, commands_fd: int, events_fd: int) -> None:
        self._commands_fd = commands_fd
        self._events_fd = events_fd
        self._commands: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._writing = threading.Lock()
        threading.Thread(target=self._read, name="commands", daemon=True).start()

    def next_command(self) -> Any:
        """Wait for a command and return its JSON value, or None if it is no JSON."""
        try:
            return json.loads(self._commands.get())
        except ValueError:
            return None

    def send(self, event: str, **fields: Any) -> None:
        """Tell the agent something."""
        line = json.dumps({"event": event, **fields}).encode() + b"\n"
        with self._writing:
            while line:
                try:
                    line = line[os.write(self._events_fd, line) :]
                except OSError:
                    os._exit(EXIT_AGENT_GONE)

    def _read(self) -> None:
        with open(self._commands_fd, "rb") as lines:  # noqa: PTH123 - a descriptor, not a path
            for line in lines:
                self._commands.put(line)
        os._exit(EXIT_AGENT_GONE)


class Host:
    """Carries the commands out, one at a time."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe
        self._overrides = Overrides()
        self._opened = False
        self._engine_place = engine_place()
        self._lost_engines: dict[str, str] = {}
        self._extras: str | None = None
        """The folder of what the scene itself writes beside its frames."""
        self._scene: Any = None
        self._layers: list[str] = []
        self._progress = RenderStats(0.0, None)
        self._risen_at = 0.0
        self._told_at = 0.0
        self._commands: dict[str, Callable[..., None]] = {
            "describe": self.describe,
            "open": self.open,
            "inspect": self.inspect,
            "configure": self.configure,
            "render": self.render,
            "mix_sound": self.mix_sound,
        }
        bpy.app.handlers.render_stats.append(self._make_stats_handler())

    def serve(self) -> None:
        """Answer commands until ``close``; the process ends without leaving this function."""
        self._pipe.send("ready", blender=list(bpy.app.version))
        while True:
            command = self._pipe.next_command()
            if isinstance(command, dict) and command.get("do") == "close":
                leave(EXIT_CLOSED)
            try:
                self._carry_out(command)
            except CommandError as error:
                self._pipe.send("error", code=error.code, message=error.message)

    def _carry_out(self, command: Any) -> None:
        if not isinstance(command, dict) or command.get("do") not in self._commands:
            raise CommandError("bad_command", f"Not a command: {command!r:.200}")
        carry_out = self._commands[command.pop("do")]
        try:
            inspect.signature(carry_out).bind(**command)
        except TypeError as error:
            raise CommandError("bad_command", f"{carry_out.__name__}: {error}") from error
        carry_out(**command)

    def describe(self, devices: bool) -> None:
        """Tell what this Blender can do on this machine."""
        self._pipe.send("described", **abilities(devices))

    def open(self, blend: str, remap: Mapping[str, str], extras: str | None, *, allow_scripts: bool) -> None:
        """Open a .blend; a process opens one, and after a failure none.

        What its File Output nodes write goes below the folder ``extras``; without one they are turned off.
        """
        self._load(blend, allow_scripts=allow_scripts)
        if bpy.data.version[:2] > bpy.app.version[:2]:
            saved, here = (f"{major}.{minor}" for major, minor in (bpy.data.version[:2], bpy.app.version[:2]))
            raise CommandError(
                "cannot_open",
                f"The file was saved by Blender {saved}, this agent has Blender {here}, which would lose part of it; "
                f"render it on an agent with Blender {saved} or newer.",
            )
        # Now: where a job chooses an engine, what was saved is overwritten.
        self._lost_engines = lost_engines(self._engine_place)
        warnings = [*remap_files(remap), *_warnings()]
        self._extras = extras
        if extras is None:
            mute_file_outputs()
        else:
            redirect_file_outputs(extras)
        self._pipe.send("opened", file_version=list(bpy.data.version), missing=missing_files(), warnings=warnings)

    def inspect(self, blend: str, remap: Mapping[str, str]) -> None:
        """Open a .blend and tell what is in it, also where this Blender is too old to render it."""
        self._load(blend, allow_scripts=False)
        remap_files(remap)
        self._pipe.send(
            "inspected",
            file_version=list(bpy.data.version),
            scene=active_scene(),
            scenes=scenes(),
            missing=missing_files(),
            warnings=_warnings(),
        )

    def configure(self, render: Mapping[str, Any], format: str, device: str, threads: int | None) -> None:  # noqa: A002 - the protocol's word
        """Set the scene up for a job."""
        self._overrides.undo()
        self._scene = None
        scene = find_scene(render["scene"])
        missing_engine = self._lost_engines.get(scene.name_full) if render["engine"] is None else None
        warnings = configure(scene, render, format, device, threads, self._overrides)
        self._scene = scene
        self._layers = [layer.name for layer in scene.view_layers if layer.use]
        width, height = frame_size(scene) or (None, None)
        self._pipe.send(
            "configured",
            width=width,
            height=height,
            extension=EXTENSIONS[format],
            engine=scene.render.engine,
            missing_engine=missing_engine,
            warnings=warnings,
        )

    def render(self, frame: int, output: str, preview: str | None, display: str | None) -> None:
        """Render one frame into one file, as ``blender -b FILE -S SCENE -f FRAME`` would."""
        scene = self._configured()
        forget_views(scene.render, output)
        scene.render.filepath = render_path(output)
        self._progress = RenderStats(0.0, None)
        started = time.monotonic()
        try:
            scene.frame_set(frame)
            # The operator's own `scene` would take its frame from the file's active scene.
            with bpy.context.temp_override(scene=scene):
                bpy.ops.render.render(write_still=True)
        except RuntimeError as error:
            raise _render_error(str(error), frame) from error
        seconds = time.monotonic() - started
        lay_beside(scene.render, output, frame, self._extras)
        if not Path(output).is_file() or Path(output).stat().st_size == 0:
            raise CommandError("not_written", f"Blender reported success for frame {frame} but wrote no file.")
        if preview is not None:
            save_preview(scene, output, preview)
        if display is not None:
            save_display(scene, output, display)
        self._pipe.send(
            "rendered",
            frame=frame,
            seconds=seconds,
            output=output,
            memory_bytes=_peak_memory(),
            held_bytes=_held_memory(),
        )

    def mix_sound(self, output: str, first: int, last: int) -> None:
        """Mix the scene's sound for a range of frames."""
        mix_sound(self._configured(), output, first, last)
        self._pipe.send("mixed")

    def _load(self, blend: str, *, allow_scripts: bool) -> None:
        if self._opened:
            raise CommandError("bad_command", "A scene is open already.")
        self._opened = True
        complaint = ""
        try:
            bpy.ops.wm.open_mainfile(filepath=blend, use_scripts=allow_scripts)
        except RuntimeError as error:
            # It may have complained about a part (a missing library) and opened the rest.
            complaint = str(error).strip()
        if not bpy.data.filepath or os.path.realpath(bpy.data.filepath) != os.path.realpath(blend):
            raise CommandError("cannot_open", f"Blender cannot open the file: {complaint or 'no reason given'}")

    def _configured(self) -> Any:
        if self._scene is None:
            raise CommandError("bad_command", "No scene is configured.")
        return self._scene

    def _make_stats_handler(self) -> Callable[..., None]:
        def tell(line: object, *_: object) -> None:
            self._tell(parse_stats(line, self._layers) if isinstance(line, str) else None)

        # Opening a file drops the handlers that are not persistent.
        handler: Callable[..., None] = bpy.app.handlers.persistent(tell)
        return handler

    def _tell(self, stats: RenderStats | None) -> None:
        now = time.monotonic()
        # Another scene that the compositor needs counts its own samples: never go back.
        risen = stats if stats is not None and stats.progress > self._progress.progress else None
        if risen is None:
            if now - self._told_at < SIGN_INTERVAL:
                return
        elif now - self._risen_at < PROGRESS_INTERVAL and risen.progress < 1:
            return
        else:
            self._progress, self._risen_at = risen, now
        self._told_at = now
        self._pipe.send(
            "progress",
            progress=self._progress.progress,
            remaining_seconds=self._progress.remaining_seconds,
            memory_bytes=_peak_memory(),
        )


def _warnings() -> list[str]:
    if not bpy.app.autoexec_fail:
        return []
    text = (
        f"Python in the file was not run ({bpy.app.autoexec_fail_message}); "
        "what it drives keeps its last saved value, so the picture may be wrong; submit the job with "
        "allow_scripts to have it run."
    )
    return [text]


def _render_error(report: str, frame: int) -> CommandError:
    words = " ".join(report.removeprefix("Error: ").split())
    if "camera" in words.lower():
        return CommandError(
            "no_camera", f"The scene has no camera to render through ({words}); set one and submit again."
        )
    return CommandError("render_failed", f"Blender could not render frame {frame}: {words}")


def _peak_memory() -> int:
    """Return the most memory (bytes) this process has held so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _held_memory() -> int:
    """Return how much memory (bytes) this process holds now, 0 where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * resource.getpagesize()


def leave(code: int) -> None:
    """End the process now: Blender can hang in an orderly exit while a handler of ours is registered."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def main() -> None:
    """Serve the agent that started this process."""
    arguments = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else sys.argv[1:]
    parser = argparse.ArgumentParser(prog="host.py")
    parser.add_argument("--commands-fd", type=int, required=True)
    parser.add_argument("--events-fd", type=int, required=True)
    parser.add_argument("--memory-bytes", type=int)
    parser.add_argument("--processes", type=int)
    options = parser.parse_args(arguments)
    # The agent sends this to a Blender that hangs, to see from the log where.
    faulthandler.register(signal.SIGUSR1, file=sys.stderr, all_threads=True)
    keep_within(options.memory_bytes, options.processes)
    try:
        Host(Pipe(options.commands_fd, options.events_fd)).serve()
    finally:
        # An error of ours: the agent shows the end of this log.
        traceback.print_exc()
        leave(EXIT_FAILED)


if __name__ == "__main__":
    main()
