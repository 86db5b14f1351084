"""Finding a job by what a person remembers of it: its name, who submitted it, the file it was made from."""

import re
import unicodedata

#: What is kept of each part, in characters: an index entry must stay below 2,700 bytes on PostgreSQL.
_LONGEST_NAME, _LONGEST_USER, _LONGEST_FILE = 200, 60, 110
#: More words than this tell nothing more.
MOST_WORDS = 8

#: The marks above and below letters of Latin, Greek and Cyrillic; those of other scripts are letters of their own.
_ACCENTS = re.compile("[\u0300-\u036f]")


def search_text(name: str, user: str, file: str) -> str:
    """Return what a job is found by, whatever its capitals and accents; it begins with the name, to sort by."""
    parts = ((name, _LONGEST_NAME), (user, _LONGEST_USER), (file, _LONGEST_FILE))
    return "\n".join(_folded(text)[:longest] for text, longest in parts)


def renamed(text: str, name: str) -> str:
    """Return the search text of a job that has another name now."""
    _, _, rest = text.partition("\n")
    return f"{_folded(name)[:_LONGEST_NAME]}\n{rest}"


def search_words(query: str) -> list[str]:
    """Return the words that a job's search text must all contain, in any order and also within other words."""
    return list(dict.fromkeys(_folded(query).split()))[:MOST_WORDS]


def job_number(query: str) -> int | None:
    """Return the job that a query names by its number, as ``#42``; None where it does not."""
    digits = query.strip().removeprefix("#")
    named = query.strip().startswith("#") and digits.isascii() and digits.isdigit() and len(digits) <= 18
    return int(digits) if named else None


def _folded(text: str) -> str:
    """Return a text in small letters without accents, in one line, without what no database keeps.

    web/job_order.js does the same, so that a page sorts by name as the database does.
    """
    bare = _ACCENTS.sub("", unicodedata.normalize("NFKD", text.replace("\0", "")))
    return " ".join(unicodedata.normalize("NFC", bare.casefold()).split())
