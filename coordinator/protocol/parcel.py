"""A parcel: a finished frame and its files in one body, for frames whose files are short.

It is four bytes with the length of the message (big endian), the message (:class:`FrameResult`), and the bytes of the
files that it names, one after the other in the order of :func:`files_of`.
"""

from collections.abc import Mapping

from coordinator.protocol.codec import DecodeError, decode, encode
from coordinator.protocol.messages import FrameResult, StoredFile

#: The files of a parcel have at most so many bytes together; it is held in memory at both ends.
MAX_FILES_BYTES = 768 * 1024

#: The longest parcel, in bytes.
MAX_PARCEL_BYTES = 1_000_000

_HEAD = 4


def files_of(result: FrameResult) -> list[StoredFile]:
    """Return the files of a frame, each once, in the order in which a parcel has them."""
    files = [result.output, result.preview, result.display, *(extra.file for extra in result.extras)]
    return list({file.sha256: file for file in files if file is not None}.values())


def pack_parcel(result: FrameResult, files: Mapping[str, bytes]) -> bytes:
    """Return a frame and its files, which are given by their digests, as one body."""
    message = encode(result)
    return b"".join((len(message).to_bytes(_HEAD), message, *(files[file.sha256] for file in files_of(result))))


def open_parcel(body: bytes) -> tuple[FrameResult, dict[str, bytes]]:
    """Return what :func:`pack_parcel` was given; every file has the length that the message says.

    Whether the digests are right is for the store to find out: it looks at each byte anyway.

    Raises:
        DecodeError: it is no parcel.
    """
    view = memoryview(body)
    end = _HEAD + int.from_bytes(view[:_HEAD])
    if len(body) < end:
        raise DecodeError("the parcel ends within its message")
    result = decode(bytes(view[_HEAD:end]), FrameResult)
    files: dict[str, bytes] = {}
    for file in files_of(result):
        data = bytes(view[end : end + file.size])
        end += file.size
        if len(data) != file.size:
            raise DecodeError("the parcel ends within a file")
        files[file.sha256] = data
    if end != len(body):
        raise DecodeError("the parcel goes on after its last file")
    return result, files
