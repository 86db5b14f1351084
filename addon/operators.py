"""Submitting the open scene.  Operators are thin: none waits, unless a script calls one without a window."""

from dataclasses import replace

import bpy
from bpy.props import BoolProperty

from . import refresh, state, submitting
from .chosen_farm import chosen_connection, may_ask_the_farm
from .drawing import draw_problems
from .preparing import Preparation
from .sending import Change
from .submission import Overrides

#: Width of the dialog that asks whether to submit in spite of warnings, in pixels at a resolution scale of 1.
_DIALOG_WIDTH = 480


class RENDERFARM_OT_submit(bpy.types.Operator):
    """Send the scene and all files it uses to the farm, as it is now; the open file is not saved or changed"""

    bl_idname = "renderfarm.submit"
    bl_label = "Submit to Farm"

    still: BoolProperty(
        name="Still", description="Render the current frame alone, without a video", options={"SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """A farm is chosen, and nothing is being sent."""
        now = state.current()
        if now.is_sending or now.is_preparing:
            cls.poll_message_set("A scene is being sent already")
            return False
        return may_ask_the_farm(cls, context)

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Begin, and go on between what the artist does; where pictures may not be what is expected, ask first."""
        _prepare(context, still=self.still, send=True)
        return {"FINISHED"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Submit without asking, for scripts; the upload goes on in the background."""
        preparing = _prepare(context, still=self.still, send=True)
        preparing.finish()
        state.current().checked = preparing.checked
        submitting.begin_sending()
        if preparing.error:
            self.report({"ERROR"}, preparing.error)
            return {"CANCELLED"}
        # Also to cover Blender's own "Saved", which is about the copy.
        self.report({"INFO"}, f"Sending to {chosen_connection(context).host}")
        return {"FINISHED"}


class RENDERFARM_OT_confirm(bpy.types.Operator):
    """Submit the scene in spite of the warnings"""

    bl_idname = "renderfarm.confirm"
    bl_label = "Submit All the Same"
    bl_options = {"INTERNAL"}  # noqa: RUF012 - Blender reads it from the class

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """A submission waits for the answer."""
        preparing = state.current().preparing
        return preparing is not None and preparing.asking

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Ask."""
        answer: set[str] = context.window_manager.invoke_props_dialog(
            self, width=_DIALOG_WIDTH, title="Submit all the same?", confirm_text="Submit"
        )
        return answer

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the problems that the artist is asked about."""
        preparing = state.current().preparing
        if preparing is not None and preparing.checked is not None:
            draw_problems(self.layout, context, preparing.checked.problems, width=_DIALOG_WIDTH)

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Go on."""
        preparing = state.current().preparing
        if preparing is not None:
            preparing.confirm()
            refresh.hurry()
        return {"FINISHED"}

    def cancel(self, _context: bpy.types.Context) -> None:
        """Do not submit."""
        preparing = state.current().preparing
        if preparing is not None and preparing.asking:
            preparing.cancel()
            refresh.hurry()


class RENDERFARM_OT_cancel_submission(bpy.types.Operator):
    """Stop sending; what has arrived is kept for the next time"""

    bl_idname = "renderfarm.cancel_submission"
    bl_label = "Cancel"

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Something is being sent: else the Esc key is for others."""
        now = state.current()
        return now.is_sending or now.is_preparing

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Ask the thread to stop."""
        now = state.current()
        if now.preparing is not None:
            now.preparing.cancel()
        if now.sending is not None:
            now.sending.cancel()
        refresh.hurry()
        return {"FINISHED"}


class RENDERFARM_OT_check_scene(bpy.types.Operator):
    """Look for what would stop the scene from rendering on the farm, or make it look different there"""

    bl_idname = "renderfarm.check_scene"
    bl_label = "Check Scene"

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Nothing is being looked at."""
        return not state.current().is_preparing

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Begin; the panel shows what is found."""
        _prepare(context, still=False, send=False)
        return {"FINISHED"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Read the scene at once, for scripts."""
        preparing = _prepare(context, still=False, send=False)
        preparing.finish()
        state.current().checked = preparing.checked
        return {"FINISHED"}


def _prepare(context: bpy.types.Context, *, still: bool, send: bool) -> Preparation:
    now = state.current()
    now.trouble = now.notice = ""
    farm = None
    if send:
        now.sending = now.listed = None
        farm = chosen_connection(context)
    now.preparing = Preparation(
        context.scene, _still(context.scene.frame_current) if still else None, now.feed.latest().facts, farm
    )
    refresh.hurry()
    return now.preparing


def _still(frame: int) -> Change:
    def change(wishes: Overrides) -> Overrides:
        return replace(wishes, frames=str(frame), video=False)

    return change


class RENDERFARM_OT_dismiss(bpy.types.Operator):
    """You have read it"""

    bl_idname = "renderfarm.dismiss"
    bl_label = "Dismiss"
    bl_options = {"INTERNAL"}  # noqa: RUF012 - Blender reads it from the class

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Tell it no longer."""
        state.current().notice = ""
        refresh.hurry()
        return {"FINISHED"}


CLASSES = (
    RENDERFARM_OT_submit,
    RENDERFARM_OT_confirm,
    RENDERFARM_OT_cancel_submission,
    RENDERFARM_OT_check_scene,
    RENDERFARM_OT_dismiss,
)
