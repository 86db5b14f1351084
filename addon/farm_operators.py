"""Choosing a farm and being let in."""

import bpy
from bpy.props import StringProperty

from . import refresh, state
from .chosen_farm import chosen_connection, may_ask_the_farm, preferences_of
from .client import FarmError
from .connecting import Connecting
from .connection import check_network
from .finding import Finding


class RENDERFARM_OT_test_connection(bpy.types.Operator):
    """Ask the farm for an answer now"""

    bl_idname = "renderfarm.test_connection"
    bl_label = "Test Connection"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Address and token look right."""
        return may_ask_the_farm(cls, context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Ask; the answer is shown as soon as it is there."""
        feed = state.current().feed
        feed.follow(chosen_connection(context))
        feed.forget_answer()
        refresh.hurry()
        return {"FINISHED"}


class RENDERFARM_OT_open_preferences(bpy.types.Operator):
    """Show the farm's address and token in the preferences"""

    bl_idname = "renderfarm.open_preferences"
    bl_label = "Preferences"

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Open them at the extension's place."""
        bpy.ops.preferences.addon_show(module=__package__)
        return {"FINISHED"}


class RENDERFARM_OT_find_farms(bpy.types.Operator):
    """Look for farms on the local network"""

    bl_idname = "renderfarm.find_farms"
    bl_label = "Find"

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Blender may use the network, and no search is under way."""
        finding = state.current().finding
        if not bpy.app.online_access:
            cls.poll_message_set("Turn on Allow Online Access first (Preferences → System → Network)")
            return False
        return finding is None or finding.wait(0)

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Begin; what is found is shown as soon as it is there."""
        now = state.current()
        now.finding = Finding()
        now.finding.start()
        refresh.hurry()
        return {"FINISHED"}


class RENDERFARM_OT_use_farm(bpy.types.Operator):
    """Choose this farm"""

    bl_idname = "renderfarm.use_farm"
    bl_label = "Use"
    bl_options = {"INTERNAL"}  # noqa: RUF012 - Blender reads it from the class

    address: StringProperty(options={"SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Take its address over; a token of another farm is of no use there."""
        preferences = preferences_of(context)
        if preferences.address != self.address:
            preferences.address, preferences.token = self.address, ""
            context.preferences.is_dirty = True
        state.current().finding = None
        return {"FINISHED"}


class RENDERFARM_OT_connect(bpy.types.Operator):
    """Ask the farm to let this Blender in: you approve it in your browser, and no token has to be copied"""

    bl_idname = "renderfarm.connect"
    bl_label = "Connect…"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """There is an address that may be asked, and no request is under way."""
        connecting = state.current().connecting
        if connecting is not None and not connecting.wait(0):
            return False
        try:
            _check(context)
        except FarmError as error:
            cls.poll_message_set(str(error))
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Begin; the code is shown, and the browser opened, as soon as the farm has answered."""
        now = state.current()
        now.connecting = Connecting(_check(context))
        now.connecting.start()
        refresh.hurry()
        return {"FINISHED"}


class RENDERFARM_OT_open_approval(bpy.types.Operator):
    """Open the page that asks for the code once more; the code is copied to the clipboard"""

    bl_idname = "renderfarm.open_approval"
    bl_label = "Open the Browser"

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """There is a code."""
        connecting = state.current().connecting
        return connecting is not None and bool(connecting.progress().code)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Copy the code, and open the browser."""
        connecting = state.current().connecting
        if connecting is None:
            return {"CANCELLED"}
        approval = connecting.progress()
        context.window_manager.clipboard = approval.code
        bpy.ops.wm.url_open(url=approval.page)
        return {"FINISHED"}


class RENDERFARM_OT_cancel_connect(bpy.types.Operator):
    """Do not wait for the approval any longer"""

    bl_idname = "renderfarm.cancel_connect"
    bl_label = "Cancel"

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Forget it; nobody can approve a token that is known to no one."""
        now = state.current()
        if now.connecting is not None:
            now.connecting.cancel()
            now.connecting = None
        refresh.hurry()
        return {"FINISHED"}


def _check(context: bpy.types.Context) -> str:
    """Return the address that is to be asked.

    Raises:
        FarmError: what is wrong with it, or that Blender may not use the network.
    """
    return check_network(
        preferences_of(context).address,
        online_access=bpy.app.online_access,
        offline_for_good=bpy.app.online_access_override,
    )


CLASSES = (
    RENDERFARM_OT_test_connection,
    RENDERFARM_OT_open_preferences,
    RENDERFARM_OT_find_farms,
    RENDERFARM_OT_use_farm,
    RENDERFARM_OT_connect,
    RENDERFARM_OT_open_approval,
    RENDERFARM_OT_cancel_connect,
)
