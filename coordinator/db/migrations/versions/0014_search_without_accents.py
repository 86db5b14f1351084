"""Jobs are found and sorted by their names without accents, and alike on every database."""

import re
import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the accents from what jobs are found by."""
    conn = op.get_bind()
    if conn.dialect.name == "postgresql":
        op.execute('ALTER TABLE jobs ALTER COLUMN search TYPE TEXT COLLATE "C"')
    rows = conn.execute(sa.text("SELECT id, search FROM jobs")).all()
    texts = [{"job": row.id, "search": _folded(row.search)} for row in rows if not row.search.isascii()]
    if texts:
        conn.execute(sa.text("UPDATE jobs SET search = :search WHERE id = :job"), texts)


def _folded(search: str) -> str:
    parts = zip(search.split("\n"), (200, 60, 110), strict=True)
    return "\n".join(_without_accents(text)[:longest] for text, longest in parts)


def _without_accents(text: str) -> str:
    bare = re.sub("[\u0300-\u036f]", "", unicodedata.normalize("NFKD", text))
    return " ".join(unicodedata.normalize("NFC", bare.casefold()).split())
