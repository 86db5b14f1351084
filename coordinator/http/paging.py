"""What every list's query takes."""

from typing import Annotated

import msgspec
from msgspec import Meta

Cursor = Annotated[str, Meta(max_length=200)]


class PageQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much of a list, from where."""

    limit: Annotated[int, Meta(ge=1, le=200)] = 50
    cursor: Cursor | None = None
