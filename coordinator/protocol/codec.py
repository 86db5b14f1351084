"""The one place where msgpack is packed and unpacked.

Every option is pinned here: ``use_bin_type`` and ``raw=False`` keep text and bytes apart, ``strict_map_key`` refuses
maps with keys other than text or bytes, and the length limits bound what a hostile peer can make us allocate.  What
comes off the wire is then converted to a typed message, which checks names, types and ranges.
"""

from typing import Any, TypeVar

import msgpack
import msgspec

CONTENT_TYPE = "application/x-msgpack"

#: The largest message either side accepts, in bytes.  A manifest of 100,000 files takes about 20 MB; files
#: themselves never travel inside a message.
MAX_MESSAGE_BYTES = 64 * 1024 * 1024

T = TypeVar("T")


class DecodeError(ValueError):
    """The bytes are no msgpack, or no message of the expected type; the text says where."""


def encode(message: msgspec.Struct) -> bytes:
    """Return the msgpack form of a message."""
    packed: bytes = msgpack.packb(msgspec.to_builtins(message), use_bin_type=True)
    return packed


def decode(data: bytes, kind: type[T]) -> T:
    """Return the message of type ``kind`` in ``data``.

    Raises:
        DecodeError: ``data`` is too large, is not msgpack, or does not fit ``kind``.
    """
    if len(data) > MAX_MESSAGE_BYTES:
        raise DecodeError(f"message of {len(data)} bytes is over the limit of {MAX_MESSAGE_BYTES}")
    try:
        plain: Any = msgpack.unpackb(
            data,
            raw=False,
            strict_map_key=True,
            max_str_len=MAX_MESSAGE_BYTES,
            max_bin_len=MAX_MESSAGE_BYTES,
            max_array_len=1_000_000,
            max_map_len=100_000,
            max_ext_len=0,
        )
    except (ValueError, msgpack.UnpackException) as error:
        # msgpack's own messages for truncated input are empty.
        raise DecodeError(f"not msgpack: {error or type(error).__name__}") from error
    try:
        return msgspec.convert(plain, kind)
    except msgspec.ValidationError as error:
        raise DecodeError(str(error)) from error
