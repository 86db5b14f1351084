"""The coordinator's commands."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from coordinator.db.engine import Database
    from coordinator.services.schemas import TokenCreated
    from coordinator.settings import Settings


@click.command()
@click.option("--host", help="The address to listen on (RENDERFARM_HOST).  [default: 127.0.0.1]")
@click.option("--port", type=int, help="The port; 0 takes a free one (RENDERFARM_PORT).  [default: 8420]")
@click.option("--data-dir", help="The folder of files and of the SQLite database (RENDERFARM_DATA_DIR).")
@click.option("--database-url", help="postgresql://… or sqlite:///PATH (RENDERFARM_DATABASE_URL).")
@click.option(
    "--ready-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help='Write {"url": …} to this file once requests are answered.',
)
def coordinator(ready_file: Path | None, **options: str | int | None) -> None:
    """Run the coordinator and its web page."""
    from coordinator.server import serve

    settings = _settings(options)
    _log(settings)

    def on_ready(url: str, tokens: "list[TokenCreated]") -> None:
        click.echo(_banner(url, tokens))

    _run(serve(settings, on_ready, ready_file))


@click.command()
@click.option("--data-dir", help="The folder of the SQLite database (RENDERFARM_DATA_DIR).")
@click.option("--database-url", help="postgresql://… or sqlite:///PATH (RENDERFARM_DATABASE_URL).")
def migrate(**options: str | None) -> None:
    """Bring the database up to date; the coordinator also does so when it starts."""

    async def nothing_more(_database: "Database") -> None:
        return

    settings = _settings(options)
    if settings.database_url is None:
        try:
            settings.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise click.ClickException(
                f"The folder {settings.folder} cannot be made ({error.strerror}); choose another with --data-dir."
            ) from error
    _with_database(settings, nothing_more)
    click.echo("The database is up to date.")


@click.group()
def token() -> None:
    """Make, list and revoke tokens, on the coordinator's machine."""


@token.command("create")
@click.argument("kind", type=click.Choice(["admin", "join"]))
@click.option("--name", default="command line", show_default=True, help="What it is for.")
def create_token(kind: str, name: str) -> None:
    """Make a token and print it, once."""
    from coordinator.domain.tokens import TokenKind
    from coordinator.services import accounts

    made = _with_database(_farm(), lambda database: database.write(accounts.create_token, TokenKind(kind), name))
    click.echo(made.token)


@token.command("list")
def list_tokens() -> None:
    """List the good tokens, without their secrets."""
    from coordinator.services import accounts

    for view in _with_database(_farm(), lambda database: database.read(accounts.list_tokens)):
        click.echo(f"{view.id:6}  {view.kind:8}  {view.created_at:%Y-%m-%d}  {view.name}")


@token.command("revoke")
@click.argument("number", type=int)
def revoke_token(number: int) -> None:
    """Make the token of this NUMBER (see `token list`) void."""
    from coordinator.services import accounts

    _with_database(_farm(), lambda database: database.write(accounts.revoke_token, number))
    click.echo(f"Token {number} is void.")


def _settings(options: "dict[str, Any]") -> "Settings":
    import os

    from coordinator.settings import SettingsError, read_settings

    try:
        return read_settings(os.environ, **options)
    except SettingsError as error:
        raise click.ClickException(str(error)) from error


def _with_database(settings: "Settings", use: "Callable[[Database], Coroutine[Any, Any, Any]]") -> Any:
    from coordinator.app import open_migrated, utc_now

    async def run() -> Any:
        database = await open_migrated(settings, utc_now)
        try:
            return await use(database)
        finally:
            await database.close()

    return _run(run())


def _farm() -> "Settings":
    """Return the settings of a farm that is there already: a token for a new, empty one is of no use."""
    settings = _settings({})
    path = settings.database.removeprefix("sqlite:///")
    if path != settings.database and not Path(path).is_file():
        raise click.ClickException(
            f"There is no farm's database at {path}; point RENDERFARM_DATA_DIR or RENDERFARM_DATABASE_URL at the "
            "farm's, or start its coordinator once."
        )
    return settings


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run to the end; what is expected to go wrong becomes a sentence."""
    from coordinator.app import StartError
    from coordinator.services.errors import Refused

    try:
        return asyncio.run(work)
    except StartError as error:
        raise click.ClickException(str(error)) from error
    except Refused as refusal:
        raise click.ClickException(refusal.message) from refusal


def _log(settings: "Settings") -> None:
    import logging

    logging.basicConfig(
        level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True
    )
    if settings.log_level != "debug":
        # Its plug-ins and steps are of no interest to whoever runs a farm.
        logging.getLogger("alembic").setLevel(logging.WARNING)


def _banner(url: str, tokens: "list[TokenCreated]") -> str:
    uses = {"admin": "sign in and submit with it", "join": "agents join the farm with it"}
    lines = [f"The render farm is at {url}"]
    if tokens:
        lines.append("These tokens were made just now and are shown only this once; keep them:")
        lines += [f"  {made.kind} token  {made.token}  ({uses[made.kind]})" for made in tokens]
    return "\n".join(lines)


COMMANDS: dict[str, list[click.Command]] = {"The coordinator": [coordinator, token, migrate]}
