"""Paths in nodes: light profiles, shaders, and what geometry nodes import.  Blender's main thread only."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import bpy

from .found_files import Reference, Shape
from .stored_paths import reference_of

#: Nodes that read a file whose path comes in through a socket (4.5 on).
IMPORT_NODES = "GeometryNodeImport"

_PATH_SOCKET = "Path"


@dataclass(frozen=True)
class _Imports:
    """Where the paths come from that the nodes of a group import."""

    paths: tuple[tuple[str, str], ...]
    """Name of the node, and its path."""
    inputs: frozenset[str]
    """The group's inputs that bring one, by identifier."""
    computed: tuple[str, ...]
    """Names of nodes whose path other nodes put together."""


_NOTHING = _Imports((), frozenset(), ())


class NodePaths:
    """Reads nodes; remembers of each group of geometry nodes what it imports."""

    def __init__(self) -> None:
        self._imports: dict[int, _Imports] = {}

    def of_block(self, block: Any) -> Iterator[Reference]:
        """Yield the paths in the nodes of a material, a world, a light or a group."""
        tree = block if isinstance(block, bpy.types.NodeTree) else block.node_tree
        if tree is None:
            return
        for node in tree.nodes:
            # The text of both may also be in the .blend.
            if getattr(node, "mode", "") == "EXTERNAL" and node.filepath:
                is_shader = node.bl_idname == "ShaderNodeScript"
                kind, shape = ("shader script", Shape.SHADER) if is_shader else ("light profile", Shape.FILE)
                yield reference_of(block, node.filepath, kind=kind, shape=shape)
        if tree.bl_idname == "GeometryNodeTree":
            imports = self._of_tree(tree)
            for name, path in imports.paths:
                yield reference_of(block, path, kind="import node", user=name)
            for name in imports.computed:
                yield reference_of(
                    block,
                    "",
                    kind="import node",
                    user=name,
                    refused="imports a file whose path other nodes put together, so that it cannot be found",
                )

    def of_object(self, item: bpy.types.Object) -> Iterator[Reference]:
        """Yield the paths that an object's modifiers give to groups that import."""
        for modifier in item.modifiers:
            if modifier.type == "NODES" and modifier.node_group is not None:
                for identifier in sorted(self._of_tree(modifier.node_group).inputs):
                    path = modifier.get(identifier)
                    if isinstance(path, str) and path:
                        yield reference_of(item, path, kind="geometry nodes modifier")

    def _of_tree(self, tree: Any) -> _Imports:
        known = self._imports.get(tree.session_uid)
        if known is None:
            self._imports[tree.session_uid] = _NOTHING  # should it contain itself
            known = self._imports[tree.session_uid] = self._read(tree)
        return known

    def _read(self, tree: Any) -> _Imports:
        sockets = []
        for node in tree.nodes:
            if node.bl_idname.startswith(IMPORT_NODES):
                sockets.append((node.name, node.inputs[_PATH_SOCKET]))
            elif node.type == "GROUP" and node.node_tree is not None:
                inside = self._of_tree(node.node_tree).inputs
                sockets += [(node.name, socket) for socket in node.inputs if socket.identifier in inside]
        paths, inputs, computed = [], set(), []
        for name, socket in sockets:
            path, identifier = _source(socket)
            if identifier is not None:
                inputs.add(identifier)
            elif path is None:
                computed.append(name)
            elif path:
                paths.append((name, path))
        return _Imports(tuple(paths), frozenset(inputs), tuple(computed))


def _source(socket: Any) -> tuple[str | None, str | None]:
    """Return the path that a socket gets, and the group's input that brings it; neither where nodes compute it."""
    while socket.is_linked:
        link = socket.links[0]
        node = link.from_node
        if node.type == "REROUTE":
            socket = node.inputs[0]
        elif node.type == "GROUP_INPUT":
            return None, str(link.from_socket.identifier)
        elif node.bl_idname == "FunctionNodeInputString":
            return str(node.string), None
        else:
            return None, None
    return str(socket.default_value), None
