"""Has the farm let this Blender in: a person approves it in the browser, and it has a token of its own from then on.

The token is made here and never leaves this computer before it is used: the coordinator is told its digest only.
"""

import getpass
import hashlib
import secrets
import socket
from dataclasses import dataclass, replace

from .background import BackgroundTask
from .client import FarmClient, FarmError
from .connection import Connection

#: Seconds between two questions whether someone has approved it.
ASK_SECONDS = 2.0


@dataclass(frozen=True)
class Approval:
    """How far it is."""

    message: str
    code: str = ""
    """What the person must type in the browser."""
    page: str = ""
    """Where."""
    failed: bool = False


class Connecting(BackgroundTask):
    """One request to be let in: ``start()`` it, look at ``progress()`` and ``approved``, ``cancel()`` it."""

    def __init__(self, address: str, name: str | None = None) -> None:
        """Ask the farm at ``address``; ``name`` is what its people know this Blender by.

        Raises:
            FarmError: that is no address.
        """
        super().__init__("renderfarm-connecting")
        self.approved = False
        self.shown = False
        """The browser was opened."""
        self.farm = Connection(FarmClient(address, "").base_url, f"rf_admin_{secrets.token_urlsafe(32)}")
        self._name = name or own_name()
        self._digest = hashlib.sha256(self.farm.token.encode()).hexdigest()
        self._progress = Approval(f"Asking {self.farm.host} …")

    def progress(self) -> Approval:
        """Return how far it is; from any thread."""
        return self._progress

    def _run(self) -> None:
        try:
            with FarmClient(self.farm.address, "") as client:
                self._ask(client)
        except FarmError as error:
            self._fail(str(error))
        except Exception as error:  # noqa: BLE001 - nobody else would hear of it: this is the thread's last line
            self._fail(f"Connecting failed: {error!r}.  Please report this as a bug.")

    def _ask(self, client: FarmClient) -> None:
        request = client.ask_to_connect(self._name, self._digest)
        self._progress = Approval(
            "Approve this Blender in the browser.  The code is in the clipboard.",
            code=str(request["code"]),
            page=f"{self.farm.address}/#/connect/{int(request['id'])}",
        )
        while not self._cancelled.wait(ASK_SECONDS):
            try:
                state = client.connect_state(self._digest)
            except FarmError as error:
                if not error.passing:
                    raise
                continue
            if state == "approved":
                self._progress = replace(self._progress, message="Connected", code="")
                self.approved = True
                return
            if state != "waiting":
                self._fail(
                    "It was refused in the browser."
                    if state == "refused"
                    else "Nobody approved it in time.  Connect once more for another code."
                )
                return
        self._fail("Connecting was cancelled.")

    def _fail(self, sentence: str) -> None:
        self._progress = Approval(sentence, failed=True)


def own_name() -> str:
    """Return what people call whoever works here: the login, and the computer."""
    try:
        login = getpass.getuser()
    except (OSError, KeyError, ImportError):
        login = "someone"
    return f"{login} on {socket.gethostname().partition('.')[0]}"[:200]
