"""Keys: Esc stops sending while the mouse is over the properties, where the panel is; elsewhere it is for others."""

import bpy

_added: list[tuple[bpy.types.KeyMap, bpy.types.KeyMapItem]] = []


def add() -> None:
    """Add them; without a window there is no keyboard."""
    configuration = bpy.context.window_manager.keyconfigs.addon
    if configuration is not None:
        keymap = configuration.keymaps.new(name="Property Editor", space_type="PROPERTIES")
        _added.append((keymap, keymap.keymap_items.new("renderfarm.cancel_submission", "ESC", "PRESS")))


def remove() -> None:
    """Take them back."""
    for keymap, item in _added:
        keymap.keymap_items.remove(item)
    _added.clear()
