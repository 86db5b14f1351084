"""Who this agent is to its coordinator: a folder of its own, and the token it was given there."""

import fcntl
import hashlib
import os
from pathlib import Path

import msgspec

#: So many agents on one machine find a folder, and a name, by themselves.
MOST_ALIKE = 64


class IdentityError(Exception):
    """The agent's folder cannot be used; the text says why and what to do."""


class FolderInUse(IdentityError):
    """Another agent is running in it."""


def numbered(name: str, number: int) -> str:
    """Return what the agent with this number is called among those alike, from 1: ``ant``, ``ant-2``…"""
    return name if number == 1 else f"{name}-{number}"


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """What a coordinator gave this agent."""

    coordinator: str
    agent_id: int
    token: str
    name: str = ""
    """Which it has there; empty where that was not written down."""


class AgentFolder:
    """The agent's folder: its cache, and for each coordinator a token and the frames it is still owed."""

    def __init__(self, root: Path, coordinator: str) -> None:
        self.root = root
        self._coordinator = coordinator
        self._lock: int | None = None

    @property
    def inputs(self) -> Path:
        """Where packs and their blobs are kept; shared by all coordinators."""
        return self.root / "inputs"

    @property
    def frames(self) -> Path:
        """Where finished frames wait for delivery."""
        return self._own / "frames"

    @property
    def sessions(self) -> Path:
        """Where sessions write, each in a folder of its own, until the agent takes their files."""
        return self.root / "sessions"

    @property
    def shaders(self) -> Path:
        """Where what graphics drivers compile of EEVEE is kept."""
        return self.root / "shaders"

    @property
    def logs(self) -> Path:
        """Where Blender's output is kept."""
        return self.root / "logs"

    @property
    def _own(self) -> Path:
        # The address is no file name, and two of them must not fall together.
        return self.root / "coordinators" / hashlib.sha256(self._coordinator.encode()).hexdigest()[:16]

    def claim_any(self) -> int:
        """Claim the folder, or the first beside it, named alike with a number, that no other agent uses.

        Returns:
            The number, 1 for the folder itself.

        Raises:
            IdentityError: as :meth:`claim` does.
        """
        first = self.root
        for number in range(1, MOST_ALIKE):
            self.root = first.with_name(numbered(first.name, number))
            try:
                self.claim()
            except FolderInUse:
                continue
            return number
        self.root = first.with_name(numbered(first.name, MOST_ALIKE))
        self.claim()
        return MOST_ALIKE

    def claim(self) -> None:
        """Make the folder, readable by nobody else, and keep other agents out of it until :meth:`release`.

        Raises:
            IdentityError: it cannot be made, or another agent uses it.
        """
        try:
            for folder in (self.root, self.inputs, self.logs, self._own, self.frames):
                folder.mkdir(parents=True, exist_ok=True)
            self.root.chmod(0o700)
            self._lock = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._unusable(error) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self.release()
            raise FolderInUse(
                f"Another agent is running in {self.root}; give this one its own --name or --dir."
            ) from error

    def release(self) -> None:
        """Let other agents use the folder."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def load(self) -> Identity | None:
        """Return what the coordinator gave this agent, or None if it has not met it."""
        try:
            identity = msgspec.json.decode(self._file.read_bytes(), type=Identity)
        except (OSError, msgspec.DecodeError):
            return None  # the join token gets a new one
        return identity if identity.coordinator == self._coordinator else None

    def save(self, agent_id: int, token: str, name: str) -> None:
        """Keep what the coordinator gave this agent, for this user's eyes only.

        Raises:
            IdentityError: it cannot be written.
        """
        identity = Identity(coordinator=self._coordinator, agent_id=agent_id, token=token, name=name)
        temporary = self._file.with_suffix(".new")
        try:
            temporary.unlink(missing_ok=True)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(msgspec.json.encode(identity))
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self._file)
        except OSError as error:
            raise self._unusable(error) from error

    def _unusable(self, error: OSError) -> IdentityError:
        return IdentityError(
            f"The agent's folder {self.root} cannot be used ({error.strerror}); mend that, or name another with --dir."
        )

    @property
    def _file(self) -> Path:
        return self._own / "identity.json"


def known_coordinators(root: Path) -> list[str]:
    """Return the coordinators that have let the agent of this folder in, the last one first."""
    met: list[tuple[float, str]] = []
    for file in root.glob("coordinators/*/identity.json"):
        try:
            identity = msgspec.json.decode(file.read_bytes(), type=Identity)
            met.append((file.stat().st_mtime, identity.coordinator))
        except (OSError, msgspec.DecodeError):
            continue  # it has to join again
    return [coordinator for _, coordinator in sorted(met, reverse=True)]
