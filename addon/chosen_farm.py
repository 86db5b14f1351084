"""The farm that the artist has chosen in Blender's preferences."""

import bpy

from .client import FarmError
from .connection import Connection, connect


def preferences_of(context: bpy.types.Context) -> bpy.types.AddonPreferences:
    """Return the extension's preferences."""
    return context.preferences.addons[__package__].preferences


def chosen_connection(context: bpy.types.Context) -> Connection:
    """Return the connection to the chosen farm; asks no one.

    Raises:
        FarmError: what is wrong with the address or the token, or that Blender may not use the network.
    """
    preferences = preferences_of(context)
    return connect(
        preferences.address,
        preferences.token,
        online_access=bpy.app.online_access,
        offline_for_good=bpy.app.online_access_override,
    )


def may_ask_the_farm(cls: type[bpy.types.Operator], context: bpy.types.Context) -> bool:
    """Tell whether an operator may ask the farm, and have Blender say why not."""
    try:
        chosen_connection(context)
    except FarmError as error:
        cls.poll_message_set(str(error))
        return False
    return True
