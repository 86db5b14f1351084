"""Codes by which one machine joins the farm: short enough to be typed, for they are good once and not for long.

Eight characters of Crockford's base 32 (https://www.crockford.com/base32.html), 40 bits: it has no I, L, O and U, and
reads those that were typed all the same as the digits that they look like.
"""

import secrets

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LENGTH = 8
_LOOK_ALIKE = str.maketrans("ILO", "110", "- ")


def new_code() -> str:
    """Return a code that nobody can guess, as it is shown: ``ABCD-EFGH``."""
    code = "".join(secrets.choice(ALPHABET) for _ in range(_LENGTH))
    return f"{code[:4]}-{code[4:]}"


def plain_code(text: str) -> str | None:
    """Return the eight characters that were meant by what a person typed; None if that is no code."""
    code = text.upper().translate(_LOOK_ALIKE)
    return code if len(code) == _LENGTH and set(code) <= set(ALPHABET) else None
