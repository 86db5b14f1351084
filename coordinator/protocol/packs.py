"""Packs: the files of a scene, listed in a manifest, their bytes named by SHA-256."""

import hashlib
import re
from collections.abc import Iterable
from typing import Annotated

import msgspec
from msgspec import Meta

Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]

#: A file travels as one or more blobs, each at most this long (bytes), so that a broken upload resumes near its end.
MAX_BLOB_BYTES = 64 * 1024 * 1024

#: A manifest with more files than this is refused.
MAX_FILES = 200_000

_WINDOWS_RESERVED = re.compile(r"^(con|prn|aux|nul|com[1-9]|lpt[1-9])(\..*)?$", re.IGNORECASE)


class BlobRef(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes by their name: SHA-256 in lower-case hexadecimal, and their length in bytes."""

    sha256: Sha256
    size: Annotated[int, Meta(ge=0, le=MAX_BLOB_BYTES)]


class ManifestFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a pack: its place inside the pack, and the blobs whose concatenation it is."""

    path: Annotated[str, Meta(min_length=1, max_length=1024)]
    """Relative, with ``/`` between its parts."""
    size: Annotated[int, Meta(ge=0)]
    """Bytes; the sum of the blobs' sizes."""
    blobs: list[BlobRef]


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """A pack's list of files.  Its digest (:func:`manifest_digest`) is the pack's id."""

    main: str
    """The path of the .blend to open."""
    files: list[ManifestFile]
    remap: dict[str, str] = {}
    """Files or folders as the scene names them (absolute, from the artist's machine) → files or folders of the pack."""


class ManifestError(ValueError):
    """The manifest is not acceptable; the text says which entry and why."""


def manifest_digest(manifest: Manifest) -> str:
    """Return the pack id: the SHA-256 of the manifest's canonical JSON (sorted keys and files, no spaces)."""
    canonical = msgspec.structs.replace(manifest, files=sorted(manifest.files, key=lambda file: file.path))
    return hashlib.sha256(msgspec.json.encode(canonical, order="deterministic")).hexdigest()


def check_path(path: str) -> None:
    """Raise ManifestError unless ``path`` stays inside the pack on every operating system."""
    if "\\" in path or "\0" in path or any(ord(character) < 32 for character in path):
        raise ManifestError(f"path {path!r} has a character that is not allowed")
    if path.startswith("/") or re.match(r"^[A-Za-z]:", path):
        raise ManifestError(f"path {path!r} is absolute; paths in a pack are relative")
    for part in path.split("/"):
        if part in ("", ".", ".."):
            raise ManifestError(f"path {path!r} has an empty part, '.' or '..'")
        if _WINDOWS_RESERVED.match(part):
            raise ManifestError(f"path {path!r} has the name {part!r}, which Windows reserves")
        if len(part.encode()) > 255:
            raise ManifestError(f"path {path!r} has a name longer than 255 bytes")


def validate_manifest(manifest: Manifest) -> None:
    """Check all that types cannot: paths that stay inside, no duplicates, sizes that add up, a main file.

    Raises:
        ManifestError: with the first offending entry.
    """
    if not manifest.files:
        raise ManifestError("the manifest lists no files")
    if len(manifest.files) > MAX_FILES:
        raise ManifestError(f"the manifest lists {len(manifest.files)} files; the limit is {MAX_FILES}")
    seen: dict[str, str] = {}
    for file in manifest.files:
        check_path(file.path)
        # Agents may sit on file systems that fold case: two such names would overwrite each other there.
        folded = file.path.casefold()
        if folded in seen:
            raise ManifestError(f"paths {seen[folded]!r} and {file.path!r} are the same file on some systems")
        seen[folded] = file.path
        if sum(blob.size for blob in file.blobs) != file.size:
            raise ManifestError(f"the blobs of {file.path!r} do not add up to its size of {file.size} bytes")
    folders = _folders(seen.values())
    for folder in folders:
        if folder.casefold() in seen:
            raise ManifestError(f"{seen[folder.casefold()]!r} is both a file and a folder")
    paths = set(seen.values())
    if manifest.main not in paths:
        raise ManifestError(f"the main file {manifest.main!r} is not among the files")
    if not manifest.main.lower().endswith(".blend"):
        raise ManifestError(f"the main file {manifest.main!r} is not a .blend file")
    for target in manifest.remap.values():
        if target not in paths and target not in folders:
            raise ManifestError(f"remap points to {target!r}, which is neither a file nor a folder of the pack")


def _folders(paths: Iterable[str]) -> set[str]:
    """Return every folder of a pack with these files; the pack itself is the empty path."""
    folders = {""}
    for path in paths:
        while "/" in path:
            path = path.rpartition("/")[0]  # noqa: PLW2901 - climbing up is what the loop is for
            folders.add(path)
    return folders
