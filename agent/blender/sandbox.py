"""The sandbox around a session's Blender: the command line of bubblewrap (pure).

What is in it: a read-only system, Blender itself, one pack, and two folders to write into.  What is not: everything
else of the machine, its network and its other processes.  docs/SECURITY.md says what that protects from.

An ordinary user gets it in a user namespace of its own.  Root does without one: Linux sets no limit to the processes of
whoever is root outside of his namespace, so Blender runs as a user that nobody else is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

#: Under root, the Blender of slot N runs as this user plus N: the first of those that systemd gives to services for the
#: time they run, which have no name, no home and no files.
FIRST_GUEST = 61_184

#: Whom Blender takes itself for in a user namespace.
NAMESPACE_USER = "1000"

#: Where libraries are looked up, and what fonts, time zone and graphics drivers are configured by.
_CONFIGURATION = (
    "/etc/ld.so.cache",
    "/etc/alternatives",
    "/etc/fonts",
    "/etc/localtime",
    "/etc/glvnd",
    "/etc/vulkan",
    "/etc/OpenCL",
)

#: What else drivers of graphics cards read.
_DRIVERS = ("/opt/rocm", "/run/opengl-driver")

#: Variables that reach Blender: where it finds its cards and libraries, and in which language it talks.
_KEPT = ("CUDA_", "NVIDIA_", "HIP_", "ROCR_", "HSA_", "ONEAPI_", "ZE_", "SYCL_", "LIBGL_", "MESA_", "GALLIUM_", "VK_")
_KEPT_TOO = ("__GLX_", "__EGL_", "LC_", "LANG", "TZ", "LD_LIBRARY_PATH")

_TEMPORARY = "/tmp"  # noqa: S108 - inside the sandbox, where it is the session's own

#: The folder in it where graphics drivers keep the shaders that they have compiled.  Mesa would look for a home in
#: /etc/passwd, and keep none.
SHADERS = "shaders"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much of the machine one session may take."""

    memory_bytes: int
    """Of memory that it may write to, in each of its processes."""
    processes: int | None
    """Threads included; None where they could not be told from others of the same user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What one session is given of the machine."""

    pack: Path
    """The folder of its pack, to read."""
    output: Path
    """The folder that its files go to."""
    temporary: Path
    """The folder that it finds as ``/tmp``."""
    slot: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """How the Blenders of this machine are shut in."""

    bwrap: Path
    bounds: Bounds
    system: tuple[str, ...]
    """Arguments that lay out ``/bin``, ``/lib`` and the like beside ``/usr``."""
    readable: tuple[Path, ...]
    """Blender's own folders, and what the agent runs in it."""
    hidden: Path
    """The agent's folder: not to be seen even where it lies in one of the readable ones."""
    cards: tuple[Path, ...] = ()
    """Device nodes of the graphics cards."""
    card_groups: tuple[int, ...] = ()
    """The groups whose members may use them."""
    as_root: bool
    no_namespaces: bool
    """This bubblewrap can keep Blender from making user namespaces, where it would be root."""

    def command(self, cell: Cell, argv: Sequence[str]) -> list[str]:
        """Return the command line that runs ``argv`` in the sandbox."""
        return [str(self.bwrap), *self._isolation(), *self._mounts(cell), "--", *self._guest(cell.slot), *argv]

    def _isolation(self) -> list[str]:
        shared = ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
        ended = ["--die-with-parent", "--new-session"]
        if self.as_root:
            # What it takes to become the guest; becoming it ends them.
            kept = ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--cap-add", "CAP_SETPCAP"]
            return [*shared, *ended, "--cap-drop", "ALL", *kept]
        user = ["--unshare-user", "--uid", NAMESPACE_USER, "--gid", NAMESPACE_USER]
        return [*shared, *user, *(["--disable-userns"] if self.no_namespaces else []), *ended, "--cap-drop", "ALL"]

    def _mounts(self, cell: Cell) -> list[str]:
        temporary = str(cell.temporary)
        # Shared memory is a file of the same folder: a file system in memory could be filled past every limit.
        arguments = ["--ro-bind", "/usr", "/usr", *self.system]
        for path in _CONFIGURATION:
            arguments += ["--ro-bind-try", path, path]
        arguments += ["--proc", "/proc", "--dev", "/dev"]
        for card in self.cards:
            arguments += ["--dev-bind", str(card), str(card)]
        # How many processors there are; with cards also what they are.
        devices = "/sys" if self.cards else "/sys/devices/system"
        arguments += ["--ro-bind-try", devices, devices]
        if self.cards:
            for path in _DRIVERS:
                arguments += ["--ro-bind-try", path, path]
        arguments += ["--bind", temporary, _TEMPORARY, "--bind", temporary, "/dev/shm", "--remount-ro", "/dev"]  # noqa: S108 - as above
        arguments += ["--symlink", _TEMPORARY, "/var/tmp"]  # noqa: S108 - as above
        # Outer folders first: what lies in another one is laid over it.
        for folder in sorted({*self.readable, self.hidden}, key=lambda path: len(path.parts)):
            arguments += ["--tmpfs", str(folder)] if folder == self.hidden else _bind("--ro-bind", folder)
        arguments += [*_bind("--ro-bind", cell.pack), *_bind("--bind", cell.output)]
        return [*arguments, "--remount-ro", str(self.hidden), "--remount-ro", "/", "--chdir", _TEMPORARY]

    def _guest(self, slot: int) -> list[str]:
        if not self.as_root:
            return []
        groups = ["--groups", ",".join(map(str, self.card_groups))] if self.card_groups else ["--clear-groups"]
        guest = str(FIRST_GUEST + slot)
        return ["setpriv", "--reuid", guest, "--regid", guest, *groups, "--inh-caps=-all", "--bounding-set=-all", "--"]


def _bind(how: str, path: Path) -> list[str]:
    # What leads there is made for everybody; on its own, bubblewrap would make it for root alone.
    return ["--dir", str(path.parent), how, str(path), str(path)]


def sandbox_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what of the agent's environment Blender sees in the sandbox: nothing that might be a secret."""
    kept = {name: value for name, value in environment.items() if name.startswith((*_KEPT, *_KEPT_TOO))}
    shaders = dict.fromkeys(("MESA_SHADER_CACHE_DIR", "__GL_SHADER_DISK_CACHE_PATH"), f"{_TEMPORARY}/{SHADERS}")
    return {"PATH": "/usr/bin:/bin", "HOME": _TEMPORARY, "CUDA_DEVICE_ORDER": "PCI_BUS_ID", **kept, **shaders}
