"""Finding a job by what a person remembers of it: its name, who submitted it, the file it was made from."""

#: What is kept of each part, in characters: an index entry must stay below 2,700 bytes on PostgreSQL.
_LONGEST_NAME, _LONGEST_USER, _LONGEST_FILE = 200, 60, 110
#: More words than this tell nothing more.
MOST_WORDS = 8


def search_text(name: str, user: str, file: str) -> str:
    """Return what a job is found by, without regard to capitals; it begins with the name, so that it sorts by it."""
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
    """Return a text in small letters, in one line, without what no database keeps."""
    return " ".join(text.replace("\0", "").casefold().split())
