"""What the terminal's commands share: the farm they talk to, how they print, and how they fail.

What people read goes to standard error; with ``--json`` standard output carries one JSON object.
"""

import functools
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

# Every command of renderfarm waits for this module: what takes time to import is imported where it is needed.
if TYPE_CHECKING:
    from rich.progress import Progress
    from rich.status import Status

    from .client import FarmClient

#: Exit codes beside 0 and click's own (2 for a misused command line).
FAILED, INTERRUPTED = 1, 130


@dataclass(frozen=True)
class Terminal:
    """What every command needs: the farm, and where to print."""

    client: "FarmClient"
    as_json: bool

    def say(self, text: str) -> None:
        """Print for a person."""
        click.echo(text, err=True)

    def answer(self, result: Mapping[str, Any], text: str) -> None:
        """Print the command's result."""
        click.echo(json.dumps(result) if self.as_json else text)


class Failure(click.ClickException):
    """The command failed; the message is for people."""

    exit_code = FAILED


def farm_command(function: Callable[..., None]) -> click.Command:
    """Make a command that talks to the farm: with its address and token, ``--json``, and errors in sentences."""

    @click.option(
        "--coordinator",
        envvar="RENDERFARM_COORDINATOR",
        default="http://127.0.0.1:8420",
        show_default=True,
        help="The coordinator's address.",
    )
    @click.option("--token", envvar="RENDERFARM_TOKEN", default="", help="An admin token (rf_admin_…).")
    @click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
    @functools.wraps(function)
    def command(coordinator: str, token: str, as_json: bool, **arguments: Any) -> None:
        from .client import FarmClient

        with _explaining(as_json):
            if not token.strip():
                raise Failure("There is no token: set RENDERFARM_TOKEN or --token to an admin token of the farm.")
            with FarmClient(coordinator, token) as client:
                function(Terminal(client, as_json), **arguments)

    # A trailing underscore keeps a command's function from hiding what Python calls so.
    return click.command(function.__name__.rstrip("_").replace("_", "-"))(command)


@contextmanager
def _explaining(as_json: bool) -> Iterator[None]:
    """Turn what went wrong into one message and an exit code, with ``--json`` on standard output too."""
    from .blend_header import NotABlendError
    from .client import FarmError
    from .inspection import InspectionError
    from .pack_plan import PackError

    try:
        yield
    except KeyboardInterrupt:
        click.echo("Interrupted.", err=True)
        sys.exit(INTERRUPTED)
    except (FarmError, NotABlendError, InspectionError, PackError, Failure) as error:
        message = error.message if isinstance(error, Failure) else _with_fields(error)
        if as_json:
            code = getattr(error, "code", "failed")
            click.echo(json.dumps({"error": {"code": code, "message": message}}))
        raise Failure(message) from error


def _with_fields(error: Exception) -> str:
    """Return an error's text with the refused fields that it does not name itself."""
    text = str(error)
    fields = getattr(error, "fields", {}) if getattr(error, "code", "") == "invalid" else {}
    reasons = {name: reason for name, reason in fields.items() if isinstance(reason, str)}
    return " ".join(
        [text, *(f"{name}: {reason}" for name, reason in reasons.items() if reason.lower() not in text.lower())]
    )


def progress_bar() -> "Progress":
    """Return a progress bar on standard error; where that is no terminal it shows nothing."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[detail]}", markup=False),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )


def spinner(text: str) -> "Status":
    """Return a sign on standard error that something goes on."""
    from rich.console import Console
    from rich.text import Text

    return Console(stderr=True).status(Text(text))


def time_left(job: Mapping[str, Any]) -> str | None:
    """Return the time a job will still take, as people say it."""
    seconds = job["eta_seconds"]
    return None if seconds is None else str(timedelta(seconds=round(seconds)))


def failure_line(failure: Mapping[str, Any]) -> str:
    """Return a failure of a job in words."""
    what = "The job" if failure["frame"] is None else f"Frame {failure['frame']}"
    return f"{what} failed {failure['attempts']} times: {failure['reason']}"
