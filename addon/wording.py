"""Numbers of things in sentences (pure)."""


def counted(number: int, thing: str) -> str:
    """Return ``1 frame``, ``2 frames``; ``thing`` is one that an s makes many of."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
