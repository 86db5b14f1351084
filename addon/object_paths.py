"""What objects and scenes keep outside the .blend: the steps of simulations, baked geometry, displacements.

Blender's main thread only.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy

from .found_files import Reference, Shape
from .stored_paths import absolute, reference_of

#: The modifiers whose simulation has a cache, as people call them.
_SIMULATIONS = {"CLOTH": "cloth simulation", "SOFT_BODY": "soft body simulation"}


def of_object(item: bpy.types.Object) -> Iterator[Reference]:
    """Yield what an object's modifiers and particle systems name, and what they should have baked."""
    for modifier in item.modifiers:
        if modifier.type in _SIMULATIONS:
            yield from _point_cache(item, modifier.point_cache, _SIMULATIONS[modifier.type], modifier.show_render)
        elif (read := _MODIFIERS.get(modifier.type)) is not None:
            yield from read(item, modifier)
    for system in item.particle_systems:
        if system.settings.type == "HAIR":
            if system.use_hair_dynamics and system.cloth is not None:
                yield from _point_cache(item, system.cloth.point_cache, "hair simulation", True)
        else:
            yield from _point_cache(item, system.point_cache, "particle system", system.settings.physics_type != "NO")


def of_scene(scene: bpy.types.Scene) -> Iterator[Reference]:
    """Yield the cache of a scene's rigid bodies."""
    world = scene.rigidbody_world
    if world is not None and world.point_cache is not None:
        moves = world.enabled and world.collection is not None and bool(world.collection.objects)
        yield from _point_cache(scene, world.point_cache, "rigid body simulation", moves)


def _point_cache(block: bpy.types.ID, cache: bpy.types.PointCache, kind: str, counts: bool) -> Iterator[Reference]:
    """Yield a cache's folder on disk, and the simulation itself if it ``counts`` and was not baked."""
    if cache.use_external:
        if cache.filepath:
            yield reference_of(block, cache.filepath, kind=kind, shape=Shape.FOLDER)
        return
    if counts and not cache.is_baked:
        yield reference_of(block, "", kind=kind, optional=True, simulation=True)
    library = block.library
    # Linked simulations keep their steps beside their library, unless they are told not to.
    owner = absolute(library.filepath) if library is not None and cache.use_library_path else None
    blend = owner or bpy.data.filepath
    if cache.use_disk_cache and blend:
        # No data-block stores this path, and it is the same for all simulations of a file.
        yield Reference(
            kind="simulation",
            user=Path(blend).stem,
            stored=f"//blendcache_{Path(blend).stem}",
            path=str(Path(blend).parent / f"blendcache_{Path(blend).stem}"),
            owner=owner,
            shape=Shape.FOLDER,
            optional=True,
        )


def _mesh_cache(item: bpy.types.Object, modifier: Any) -> Iterator[Reference]:
    if modifier.filepath:
        yield reference_of(item, modifier.filepath, kind="mesh cache")


def _multires(item: bpy.types.Object, modifier: Any) -> Iterator[Reference]:
    if modifier.is_external and modifier.filepath:
        yield reference_of(item, modifier.filepath, kind="multires sculpt")


def _ocean(item: bpy.types.Object, modifier: Any) -> Iterator[Reference]:
    # An ocean that was not baked is calculated for each frame by itself.
    if modifier.filepath:
        yield reference_of(item, modifier.filepath, kind="ocean", shape=Shape.FOLDER, optional=True)


def _fluid(item: bpy.types.Object, modifier: Any) -> Iterator[Reference]:
    domain = modifier.domain_settings if modifier.fluid_type == "DOMAIN" else None
    if domain is not None:
        yield reference_of(
            item,
            domain.cache_directory,
            kind="fluid simulation",
            shape=Shape.FOLDER,
            optional=True,
            simulation=modifier.show_render,
            steps="data",
        )


def _dynamic_paint(item: bpy.types.Object, modifier: Any) -> Iterator[Reference]:
    surfaces = modifier.canvas_settings.canvas_surfaces if modifier.canvas_settings is not None else ()
    for surface in surfaces:
        if surface.is_cache_user:
            counts = modifier.show_render and surface.is_active
            yield from _point_cache(item, surface.point_cache, "dynamic paint", counts)


def _nodes(item: bpy.types.Object, modifier: Any) -> Iterator[Reference]:
    """Yield the folders of baked simulation zones and Bake nodes; what is baked into the .blend cannot be told."""
    folders = {bake.directory: _is_unbaked_on_disk(modifier, bake) for bake in modifier.bakes if bake.use_custom_path}
    shared = [bake for bake in modifier.bakes if not bake.use_custom_path]
    if shared:
        folders[modifier.bake_directory] = any(_is_unbaked_on_disk(modifier, bake) for bake in shared)
    for folder, simulation in folders.items():
        if folder or simulation:
            yield reference_of(
                item,
                folder,
                kind="geometry nodes bake",
                shape=Shape.FOLDER,
                optional=True,
                simulation=simulation,
            )


def _is_unbaked_on_disk(modifier: Any, bake: Any) -> bool:
    """Tell whether what a node keeps on disk is a simulation, which must be baked."""
    # Blender 4.2 and 4.3 know of no other place than the disk.
    target = getattr(bake, "bake_target", "DISK")
    if target == "INHERIT":
        target = modifier.bake_target
    on_disk = target == "DISK" and modifier.show_render
    return on_disk and bake.node is not None and bake.node.bl_idname == "GeometryNodeSimulationOutput"


_MODIFIERS = {
    "MESH_CACHE": _mesh_cache,
    "MULTIRES": _multires,
    "OCEAN": _ocean,
    "FLUID": _fluid,
    "DYNAMIC_PAINT": _dynamic_paint,
    "NODES": _nodes,
}
