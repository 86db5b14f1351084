"""Who this agent is to its coordinator: a folder of its own, and the token it was given there."""

import fcntl
import hashlib
import os
from pathlib import Path

import msgspec


class IdentityError(Exception):
    """The agent's folder cannot be used; the text says why and what to do."""


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """What a coordinator gave this agent."""

    coordinator: str
    agent_id: int
    token: str


class AgentFolder:
    """The agent's folder: its cache, and for each coordinator a token and the frames it is still owed."""

    def __init__(self, root: Path, coordinator: str) -> None:
        self.root = root
        self._coordinator = coordinator
        self._lock: int | None = None
        # The address is no file name, and two of them must not fall together.
        self._own = root / "coordinators" / hashlib.sha256(coordinator.encode()).hexdigest()[:16]

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
    def logs(self) -> Path:
        """Where Blender's output is kept."""
        return self.root / "logs"

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
            raise IdentityError(
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

    def save(self, agent_id: int, token: str) -> None:
        """Keep what the coordinator gave this agent, for this user's eyes only.

        Raises:
            IdentityError: it cannot be written.
        """
        identity = Identity(coordinator=self._coordinator, agent_id=agent_id, token=token)
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
