"""The Blender extension: submit the open scene to the render farm and follow it there.

Importing it needs no ``bpy``: the terminal uses its submission code too.
"""

import sys

# When the extension is updated, Blender reloads this module alone: forget the others, so that they are read anew.
for _name in [name for name in sys.modules if name.startswith(f"{__name__}.")]:
    del sys.modules[_name]
    globals().pop(_name.rpartition(".")[2], None)


def register() -> None:
    """Add everything to Blender; called when the extension is enabled."""
    from . import registration

    registration.register()


def unregister() -> None:
    """Take everything back; called when the extension is disabled."""
    from . import registration

    registration.unregister()
