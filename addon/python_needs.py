"""What of a file needs its Python to run, which agents do only where the farm allows it."""

from collections.abc import Iterator

import bpy

#: Collections of data-blocks that drivers may move, the usual ones.
_DRIVEN = ("objects", "materials", "meshes", "armatures", "cameras", "lights", "scenes", "shape_keys", "worlds")


def needed_scripts() -> Iterator[str]:
    """Yield what needs Python, as people know it.  Blender's main thread only."""
    for text in bpy.data.texts:
        if text.use_module:
            yield f"the registered text “{text.name}”"
    count, first = 0, ""
    for name in _DRIVEN:
        for block in getattr(bpy.data, name):
            animation = block.animation_data
            for curve in animation.drivers if animation is not None else ():
                if curve.driver.type == "SCRIPTED" and not curve.driver.is_simple_expression:
                    count += 1
                    first = first or block.name
    if count:
        yield f"the driver of “{first}”" if count == 1 else f"{count} drivers, one of them of “{first}”"
