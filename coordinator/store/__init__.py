"""Blobs: bytes named by their SHA-256, kept in a local folder."""

from coordinator.store.interface import (
    BlobMissing,
    BlobStore,
    ContentMismatch,
    Parts,
    Room,
    StoreError,
    StoreFull,
    StoreUnusable,
)
from coordinator.store.local import LocalBlobStore

__all__ = [
    "BlobMissing",
    "BlobStore",
    "ContentMismatch",
    "LocalBlobStore",
    "Parts",
    "Room",
    "StoreError",
    "StoreFull",
    "StoreUnusable",
]
