"""Every file outside the .blend that the open scene needs, with the libraries' own.

Blender's thread reads the paths that data-blocks store, a few data-blocks at a time; another one looks for the files
they stand for (a sequence's, a texture's tiles, a simulation's steps), since a disk may take its time.
"""

import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from itertools import chain, islice
from pathlib import Path
from typing import Any

import bpy

from .found_files import Reference, Shape, find
from .node_paths import NodePaths
from .object_paths import of_object, of_scene
from .scene_reader import strips
from .snapshot import Dependency
from .spellings import Spellings
from .stored_paths import (
    KINDS,
    is_inside,
    of_cache_file,
    of_camera,
    of_file,
    of_image,
    of_sequence,
    of_strip,
    reference_of,
)

#: So many data-blocks are read in one step: a few milliseconds' work.
_BATCH = {"objects": 200, "node_groups": 10, "materials": 25, "scenes": 5}
_OTHER_BATCH = 100

#: So many strips, and pictures of one strip, are read in one step.
_STRIPS, _PICTURES = 50, 2000

#: How often a collection that is changed meanwhile is read from its beginning.
_RESTARTS = 5

#: The data-blocks that may name a whole folder; another one that does names nothing that Blender reads.
_WITH_FOLDERS = ("OBJECT", "PARTICLE", "MESH")

#: A step waits at most so many seconds for the disk.
_PATIENCE = 0.01


def find_dependencies() -> list[Dependency]:
    """Return every reference from the open file, and from its libraries, to a file.  Blender's main thread only.

    What is packed into the .blend, generated or used by nothing is left out.  The list is in a fixed order.
    """
    walk = walk_dependencies()
    while True:
        try:
            next(walk)
        except StopIteration as end:
            found: list[Dependency] = end.value
            return found


def walk_dependencies() -> Generator[None, None, list[Dependency]]:
    """Do what :func:`find_dependencies` does in small steps, and return the same in the end (``StopIteration.value``).

    Each ``next()`` takes well under 30 ms of Blender's main thread.  Between two of them Blender may do anything: no
    data-block is kept from one to the next.  What is changed meanwhile may be seen as it was or as it is.  Closing the
    generator ends it.
    """
    given_up = threading.Event()
    pool = ThreadPoolExecutor(1, thread_name_prefix="renderfarm-files")
    spellings = Spellings()  # of that thread
    searches: list[Future[list[Dependency]]] = []
    try:
        seen: set[Reference] = set()
        for references in _references():
            # All simulations of a file keep their steps in the same folder.
            new = [reference for reference in dict.fromkeys(references) if reference not in seen]
            seen.update(new)
            if new:
                searches.append(pool.submit(_find, new, spellings, given_up))
            yield
        found: list[Dependency] = []
        for search in searches:
            while True:
                with suppress(TimeoutError):
                    found += search.result(_PATIENCE)
                    break
                yield
        return sorted(found, key=lambda dependency: (dependency.kind, dependency.user, dependency.stored))
    finally:
        given_up.set()
        pool.shutdown(wait=False, cancel_futures=True)


def _find(references: list[Reference], spellings: Spellings, given_up: threading.Event) -> list[Dependency]:
    found = []
    for reference in references:
        if given_up.is_set():
            break
        if (dependency := find(reference, spellings)) is not None:
            found.append(dependency)
    return found


def _references() -> Iterator[list[Reference]]:
    """Yield what data-blocks name, a few data-blocks' at a time."""
    nodes = NodePaths()
    readers: dict[str, Callable[[Any], Iterator[Reference]]] = {
        "libraries": of_file,
        "images": of_image,
        "movieclips": of_sequence,
        "sounds": of_file,
        "fonts": of_file,
        "volumes": of_sequence,
        "cache_files": of_cache_file,
        "cameras": of_camera,
        "lights": nodes.of_block,
        "materials": nodes.of_block,
        "worlds": nodes.of_block,
        "node_groups": nodes.of_block,
        "objects": lambda item: chain(of_object(item), nodes.of_object(item)),
        "scenes": of_scene,
        # Only Blender's own map knows what these may name.
        "meshes": lambda _: iter(()),
        "particles": lambda _: iter(()),
    }
    for collection, read in readers.items():
        for batch in _batches(collection):
            found = {block: list(read(block)) for block in batch if not is_inside(block)}
            yield [*chain.from_iterable(found.values()), *_of_map(found)]
    for index in range(len(bpy.data.scenes)):
        yield from _of_strips(index)


def _batches(collection: str) -> Iterator[list[Any]]:
    """Yield the data-blocks of a collection in batches; it may change after each."""
    size = _BATCH.get(collection, _OTHER_BATCH)
    start, last, restarts = 0, "", 0
    while True:
        blocks = getattr(bpy.data, collection)
        if start and restarts < _RESTARTS and (len(blocks) < start or blocks[start - 1].name_full != last):
            start, restarts = 0, restarts + 1  # What is still to come may have moved to what is done.
        batch = blocks[start : start + size]
        if not batch:
            return
        start, last = start + len(batch), batch[-1].name_full
        yield batch


def _of_map(found: dict[bpy.types.ID, list[Reference]]) -> Iterator[Reference]:
    """Yield what Blender's own map knows of data-blocks beside what was read.

    It does not tell what a path is for, and misses some (docs/FACTS.md).
    """
    blocks = {block for block in found if block.id_type != "SCENE"}  # Strips are read one by one.
    if not blocks or not hasattr(bpy.data, "file_path_map"):
        return  # Blender 4.2 and 4.3
    for block, paths in bpy.data.file_path_map(subset=blocks, include_libraries=True).items():
        known = {reference.stored for reference in found[block]}
        # Every linked data-block is listed with its library's path as well.
        known.add(block.library.filepath if block.library is not None else "")
        for stored in sorted(paths - known) if block.id_type in KINDS else ():
            # Objects name the folders of simulations, which need not be there.
            optional = block.id_type == "OBJECT" and not Path(stored).suffix
            shape = Shape.EITHER if block.id_type in _WITH_FOLDERS else Shape.FILE
            yield reference_of(block, stored, optional=optional, shape=shape)


def _of_strips(index: int) -> Iterator[list[Reference]]:
    """Yield what the strips of one scene name, a few strips' at a time."""
    position = picture = 0
    while index < len(bpy.data.scenes) and (editor := bpy.data.scenes[index].sequence_editor) is not None:
        found: list[Reference] = []
        room, before = _PICTURES, (position, picture)
        for strip in list(islice(strips(editor, nested=True), position, position + _STRIPS)):
            found += of_strip(bpy.data.scenes[index], strip, picture, _PICTURES)
            pictures = len(strip.elements) if strip.type == "IMAGE" else 0
            room -= pictures
            picture += _PICTURES
            if picture < pictures:
                break  # The others come next.
            position, picture = position + 1, 0
            if room <= 0:
                break
        if (position, picture) == before:
            return
        yield found
