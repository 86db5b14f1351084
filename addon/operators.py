"""What the artist can do.  Operators are thin: they read the scene, hand the work to a thread and return at once."""

from dataclasses import replace
from pathlib import Path

import bpy
from bpy.props import BoolProperty, StringProperty

from . import refresh, state
from .chosen_farm import chosen_connection
from .client import FarmError
from .drawing import draw_problems
from .farm_job import FarmJob
from .pack_plan import PackError
from .preflight import Severity
from .results import Download, safe_name
from .sending import CheckedScene, check_scene, prepare

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
        if state.current().is_sending:
            cls.poll_message_set("A scene is being sent already")
            return False
        return _may_ask_the_farm(cls, context)

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Submit; where the farm's pictures may not be what the artist expects, ask first."""
        checked = _check(context, still=self.still)
        if checked.problems_of(Severity.ERROR) or not checked.problems_of(Severity.WARNING):
            return self._submit(context, checked)
        answer: set[str] = context.window_manager.invoke_props_dialog(
            self, width=_DIALOG_WIDTH, title="Submit all the same?", confirm_text="Submit"
        )
        return answer

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the problems that the artist is asked about."""
        if (checked := state.current().checked) is not None:
            draw_problems(self.layout, context, checked.problems, width=_DIALOG_WIDTH)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Submit without asking."""
        return self._submit(context, _check(context, still=self.still))

    def _submit(self, context: bpy.types.Context, checked: CheckedScene) -> set[str]:
        if errors := checked.problems_of(Severity.ERROR):
            self.report({"ERROR"}, str(errors[0]))
            return {"CANCELLED"}
        try:
            farm = chosen_connection(context)
            submission = prepare(checked, farm)
        except (FarmError, PackError, RuntimeError, OSError) as error:
            self.report({"ERROR"}, f"Nothing was sent: {error}")
            return {"CANCELLED"}
        submission.start()
        state.current().sending = submission
        # What was found has been told, and the scene will change: it is no news any more.
        state.current().checked = None
        refresh.watch()
        # Also to cover Blender's own "Saved", which is about the copy.
        self.report({"INFO"}, f"Sending “{checked.title}” to {farm.host}")
        return {"FINISHED"}


class RENDERFARM_OT_cancel_submission(bpy.types.Operator):
    """Stop sending; what has arrived is kept for the next time"""

    bl_idname = "renderfarm.cancel_submission"
    bl_label = "Cancel"

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Ask the thread to stop."""
        if (sending := state.current().sending) is not None:
            sending.cancel()
        return {"FINISHED"}


class RENDERFARM_OT_check_scene(bpy.types.Operator):
    """Look for what would stop the scene from rendering on the farm, or make it look different there"""

    bl_idname = "renderfarm.check_scene"
    bl_label = "Check Scene"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Read the scene; the panel shows what was found."""
        _check(context)
        return {"FINISHED"}


class RENDERFARM_OT_test_connection(bpy.types.Operator):
    """Ask the farm for an answer now"""

    bl_idname = "renderfarm.test_connection"
    bl_label = "Test Connection"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Address and token look right."""
        return _may_ask_the_farm(cls, context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Ask; the answer is shown as soon as it is there."""
        feed = state.current().feed
        feed.follow(chosen_connection(context))
        feed.forget_answer()
        refresh.watch()
        return {"FINISHED"}


class RENDERFARM_OT_open_preferences(bpy.types.Operator):
    """Show the farm's address and token in the preferences"""

    bl_idname = "renderfarm.open_preferences"
    bl_label = "Preferences"

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Open them at the extension's place."""
        bpy.ops.preferences.addon_show(module=__package__)
        return {"FINISHED"}


class RENDERFARM_OT_open_job(bpy.types.Operator):
    """Show the job's frames in the browser"""

    bl_idname = "renderfarm.open_job"
    bl_label = "Open"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """A job is chosen."""
        return chosen_job(context) is not None and _may_ask_the_farm(cls, context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Open the job's page."""
        if (job := chosen_job(context)) is None:
            return {"CANCELLED"}
        bpy.ops.wm.url_open(url=chosen_connection(context).job_page(job.id))
        return {"FINISHED"}


class RENDERFARM_OT_cancel_job(bpy.types.Operator):
    """Stop rendering the job; its finished frames are kept"""

    bl_idname = "renderfarm.cancel_job"
    bl_label = "Cancel Job"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """It has not ended yet."""
        job = chosen_job(context)
        return job is not None and job.under_way and _may_ask_the_farm(cls, context)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask first: hours of rendering may be lost by a slip of the mouse."""
        if (job := chosen_job(context)) is None:
            return {"CANCELLED"}
        answer: set[str] = context.window_manager.invoke_confirm(
            self, event, title="Cancel this job?", message=job.name, confirm_text="Cancel Job"
        )
        return answer

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Have it cancelled."""
        if (job := chosen_job(context)) is None:
            return {"CANCELLED"}
        state.current().feed.cancel(job.id)
        return {"FINISHED"}


class RENDERFARM_OT_download(bpy.types.Operator):
    """Save the job's finished frames, and its video when there is one, into a folder"""

    bl_idname = "renderfarm.download"
    bl_label = "Download"

    directory: StringProperty(name="Folder", subtype="DIR_PATH", options={"SKIP_SAVE"})
    filter_folder: BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Something is finished, and no other download runs."""
        job = chosen_job(context)
        if job is None or not job.finished or state.current().is_downloading:
            return False
        return _may_ask_the_farm(cls, context)

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Ask for the folder."""
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Fetch into a folder of the job's own, in the chosen one."""
        if (job := chosen_job(context)) is None:
            return {"CANCELLED"}
        folder = Path(bpy.path.abspath(self.directory)) / f"{safe_name(job.name)}-{job.id}"
        download = Download(chosen_connection(context).client(), job.id, folder)
        download.start()
        state.current().download = download
        refresh.watch()
        return {"FINISHED"}


class RENDERFARM_OT_cancel_download(bpy.types.Operator):
    """Stop fetching; the files that have arrived stay"""

    bl_idname = "renderfarm.cancel_download"
    bl_label = "Cancel Download"

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Ask the thread to stop."""
        if (download := state.current().download) is not None:
            download.cancel()
        return {"FINISHED"}


def chosen_job(context: bpy.types.Context) -> FarmJob | None:
    """Return the job chosen in the list; None when there is none."""
    listed = context.window_manager.renderfarm
    if not 0 <= listed.active < len(listed.jobs):
        return None
    return state.current().job(int(listed.jobs[listed.active].job_id))


def _check(context: bpy.types.Context, *, still: bool = False) -> CheckedScene:
    scene = context.scene
    checked = check_scene(
        scene, lambda settings: replace(settings, frames=str(scene.frame_current), video=False) if still else settings
    )
    state.current().checked = checked
    return checked


def _may_ask_the_farm(cls: type[bpy.types.Operator], context: bpy.types.Context) -> bool:
    try:
        chosen_connection(context)
    except FarmError as error:
        cls.poll_message_set(str(error))
        return False
    return True


CLASSES = (
    RENDERFARM_OT_submit,
    RENDERFARM_OT_cancel_submission,
    RENDERFARM_OT_check_scene,
    RENDERFARM_OT_test_connection,
    RENDERFARM_OT_open_preferences,
    RENDERFARM_OT_open_job,
    RENDERFARM_OT_cancel_job,
    RENDERFARM_OT_download,
    RENDERFARM_OT_cancel_download,
)
