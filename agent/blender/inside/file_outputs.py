"""File Output nodes of the compositor: they write wherever the artist had them write, and here into one folder."""

import re
from collections.abc import Iterator
from typing import Any

import bpy

from agent.blender.inside.pictures import render_path

#: What nodes are given when nobody says where to write.
_DEFAULT_FOLDER = "/tmp/"  # noqa: S108 - Blender's word, which nothing is written to

_DRIVE = re.compile(r"^[A-Za-z]:$")


def mute_file_outputs() -> None:
    """Turn off every File Output node: they have no part in the picture."""
    for node in _file_outputs():
        node.mute = True


def redirect_file_outputs(folder: str) -> None:
    """Have every File Output node write below ``folder``.

    A path relative to the .blend keeps its folders there, an absolute one its last.  Nodes that wrote into different
    folders still do.
    """
    places: dict[str, str] = {}
    for node in _file_outputs():
        if hasattr(node, "directory"):  # from Blender 5.0 on
            node.directory = _below(folder, _place(node.directory, places))
            node.file_name = _inside(node.file_name)
            for item in node.file_output_items:
                _set_name(item, "name")
            continue
        stored, name = node.base_path, ""
        if node.format.file_format == "OPEN_EXR_MULTILAYER":
            stored, name = re.fullmatch(r"(.*?)([^/\\]*)", stored, re.DOTALL).groups()  # type: ignore[union-attr] # matches any text
        node.base_path = _below(folder, _place(stored, places)) + "/" + _inside(name)
        for slot in node.file_slots:
            _set_name(slot, "path")


def _file_outputs() -> Iterator[Any]:
    for tree in _compositor_trees():
        yield from (node for node in tree.nodes if node.bl_idname == "CompositorNodeOutputFile")


def _compositor_trees() -> Iterator[Any]:
    for scene in bpy.data.scenes:
        # Before 5.0 the tree is part of the scene; from then on it is among the node groups.
        tree = None if hasattr(scene, "compositing_node_group") else scene.node_tree
        if tree is not None:
            yield tree
    for tree in bpy.data.node_groups:
        if tree.bl_idname == "CompositorNodeTree":
            yield tree


def _place(stored: str, places: dict[str, str]) -> str:
    """Return the folder for what was to be written into ``stored``: one that no other folder's files go to."""
    parts = [] if stored == _DEFAULT_FOLDER else _parts(stored)
    if (not stored.startswith("//") and stored.startswith(("/", "\\", "{"))) or _DRIVE.match(stored[:2]):
        parts = parts[-1:]
    wanted = place = "/".join(parts)
    number = 2
    while places.setdefault(place, stored) != stored:
        place, number = f"{wanted or 'output'}-{number}", number + 1
    return place


def _below(folder: str, place: str) -> str:
    return f"{render_path(folder)}/{place}" if place else render_path(folder)


def _set_name(owner: Any, attribute: str) -> None:
    stored = getattr(owner, attribute)
    inside = _inside(stored) or "Image"
    if inside != stored:
        setattr(owner, attribute, inside)


def _inside(path: str) -> str:
    """Return a path that leads nowhere but down; that it ends with a slash is kept, for Blender counts files there."""
    inside = "/".join(_parts(path))
    return f"{inside}/" if inside and path.endswith(("/", "\\")) else inside


def _parts(path: str) -> list[str]:
    return [
        part
        for part in re.split(r"[/\\]", path)
        if part.strip() not in ("", ".", "..") and not _DRIVE.match(part) and not part.startswith("{blend_dir")
    ]
