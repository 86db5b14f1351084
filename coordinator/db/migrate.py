"""Running the migrations (Alembic) over an open connection, without an alembic.ini."""

from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext, RevisionStep
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text


class SchemaTooNew(RuntimeError):
    """The database is of a version that this software does not know; the text says so to a person."""


def _scripts() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    return ScriptDirectory.from_config(config)


def upgrade(conn: Connection, revision: str = "head") -> None:
    """Bring the schema to ``revision`` within the caller's transaction, which must keep other coordinators out.

    Raises:
        SchemaTooNew: the database was made by a newer version of the software.
    """
    scripts = _scripts()
    current = current_revision(conn)
    if current is not None and current not in {script.revision for script in scripts.walk_revisions()}:
        raise SchemaTooNew(
            f"the database was made by a newer version of the software (its schema is {current},"
            f" this version knows {newest_revision()}); install that version or use another database"
        )

    def steps(current: Any, _context: MigrationContext) -> list[RevisionStep]:
        # What alembic's own `upgrade` command calls; its annotation has one revision where heads are meant.
        return scripts._upgrade_revs(revision, current)  # noqa: SLF001 - there is no public name for it

    environment = EnvironmentContext(Config(), scripts)
    environment.configure(connection=conn, fn=steps)
    with environment:
        environment.run_migrations()
    if current != newest_revision() and conn.dialect.name == "sqlite":
        _check_references(conn)


def _check_references(conn: Connection) -> None:
    """Raise unless every row that another one refers to is there: SQLite did not watch them meanwhile."""
    broken = conn.execute(text("PRAGMA foreign_key_check")).first()
    if broken is not None:
        raise RuntimeError(f"the migration left a row of {broken[0]} without the row of {broken[2]} it refers to")


def current_revision(conn: Connection) -> str | None:
    """Return the revision the schema is at, None for an empty database."""
    return MigrationContext.configure(conn).get_current_revision()


def newest_revision() -> str | None:
    """Return the revision this version of the software needs."""
    return _scripts().get_current_head()
