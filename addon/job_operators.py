"""What can be done with the job that is chosen in the list."""

from collections.abc import Callable
from functools import partial

import bpy
from bpy.props import IntProperty, StringProperty

from . import latest_frame, refresh, state
from .chosen_farm import chosen_connection, may_ask_the_farm
from .client import FarmClient
from .farm_job import PAUSABLE, FarmJob


def chosen_job(context: bpy.types.Context) -> FarmJob | None:
    """Return the job chosen in the list; None when there is none."""
    listed = context.window_manager.renderfarm
    if not 0 <= listed.active < len(listed.jobs):
        return None
    return state.current().job(int(listed.jobs[listed.active].job_id))


class _JobOperator:
    """Does something with the chosen job, where it is in a state for that."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """A job is chosen, it fits, and the farm may be asked."""
        job = chosen_job(context)
        return job is not None and cls.fits(job) and may_ask_the_farm(cls, context)

    @classmethod
    def fits(cls, _job: FarmJob) -> bool:
        """It can be done with such a job."""
        return True


class RENDERFARM_OT_open_job(_JobOperator, bpy.types.Operator):
    """Show the job's frames in the browser"""

    bl_idname = "renderfarm.open_job"
    bl_label = "Open in Browser"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Open the job's page."""
        if (job := chosen_job(context)) is None:
            return {"CANCELLED"}
        bpy.ops.wm.url_open(url=chosen_connection(context).job_page(job.id))
        return {"FINISHED"}


class RENDERFARM_OT_pause_job(_JobOperator, bpy.types.Operator):
    """Begin no further frame of the job; what is being rendered is finished"""

    bl_idname = "renderfarm.pause_job"
    bl_label = "Pause"

    @classmethod
    def fits(cls, job: FarmJob) -> bool:
        """It goes on."""
        return job.state in PAUSABLE

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Have it paused."""
        return _steer(chosen_job(context), FarmClient.pause)


class RENDERFARM_OT_resume_job(_JobOperator, bpy.types.Operator):
    """Go on with the job"""

    bl_idname = "renderfarm.resume_job"
    bl_label = "Resume"

    @classmethod
    def fits(cls, job: FarmJob) -> bool:
        """It is paused."""
        return job.state == "paused"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Have it go on."""
        return _steer(chosen_job(context), FarmClient.resume)


class RENDERFARM_OT_retry_job(_JobOperator, bpy.types.Operator):
    """Render again all frames that failed"""

    bl_idname = "renderfarm.retry_job"
    bl_label = "Retry Failed Frames"

    @classmethod
    def fits(cls, job: FarmJob) -> bool:
        """Something failed, or was left when it ended."""
        return job.failed > 0 or job.state in ("failed", "cancelled")

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Have them rendered again."""
        return _steer(chosen_job(context), FarmClient.requeue)


class RENDERFARM_OT_cancel_job(_JobOperator, bpy.types.Operator):
    """Stop rendering the job; its finished frames are kept"""

    bl_idname = "renderfarm.cancel_job"
    bl_label = "Cancel Job"

    @classmethod
    def fits(cls, job: FarmJob) -> bool:
        """It has not ended yet."""
        return job.under_way

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
        return _steer(chosen_job(context), FarmClient.cancel)


class RENDERFARM_OT_job_priority(_JobOperator, bpy.types.Operator):
    """Have the job rendered earlier or later than others"""

    bl_idname = "renderfarm.job_priority"
    bl_label = "Priority"

    priority: IntProperty(
        name="Priority",
        description="Jobs with a higher priority are rendered first",
        min=0,
        max=100,
        subtype="FACTOR",
        options={"SKIP_SAVE"},
    )

    @classmethod
    def fits(cls, job: FarmJob) -> bool:
        """It has not ended yet."""
        return job.under_way

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Ask which."""
        if (job := chosen_job(context)) is None:
            return {"CANCELLED"}
        self.priority = job.priority
        answer: set[str] = context.window_manager.invoke_props_dialog(self, title="Priority", confirm_text="Change")
        return answer

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Have it changed."""
        return _steer(chosen_job(context), partial(_change_priority, priority=self.priority))


class RENDERFARM_OT_follow_frames(_JobOperator, bpy.types.Operator):
    """Show the job's latest frame in the image editor as it arrives; press again to stop"""

    bl_idname = "renderfarm.follow_frames"
    bl_label = "Show Latest Frame"

    @classmethod
    def fits(cls, job: FarmJob) -> bool:
        """There is a frame, or will be one."""
        return job.latest_frame is not None or job.under_way

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Begin to show them, or stop."""
        if (job := chosen_job(context)) is None:
            return {"CANCELLED"}
        feed = state.current().feed
        follows = feed.shown_job == job.id
        latest_frame.forget()
        feed.show_frames_of(None if follows else job.id)
        if not follows and not _shows_images(context):
            self.report({"INFO"}, "Open an image editor to see the frames")
        refresh.hurry()
        return {"FINISHED"}


class RENDERFARM_OT_copy_details(bpy.types.Operator):
    """Copy what went wrong to the clipboard, for whoever is asked for help"""

    bl_idname = "renderfarm.copy_details"
    bl_label = "Copy Details"

    text: StringProperty(options={"SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Copy it, with the versions."""
        heard = state.current().feed.latest()
        about = f"Blender {bpy.app.version_string}, farm {heard.facts.version or 'unknown'}"
        context.window_manager.clipboard = f"{self.text}\n{about}"
        self.report({"INFO"}, "Copied to the clipboard")
        return {"FINISHED"}


def _steer(job: FarmJob | None, do: Callable[[FarmClient, int], object]) -> set[str]:
    if job is None:
        return {"CANCELLED"}
    state.current().feed.carry_out(lambda client: do(client, job.id))
    refresh.hurry()
    return {"FINISHED"}


def _change_priority(client: FarmClient, job_id: int, *, priority: int) -> object:
    return client.change(job_id, {"priority": priority})


def _shows_images(context: bpy.types.Context) -> bool:
    windows = context.window_manager.windows
    return any(area.type == "IMAGE_EDITOR" for window in windows for area in window.screen.areas)


CLASSES = (
    RENDERFARM_OT_open_job,
    RENDERFARM_OT_pause_job,
    RENDERFARM_OT_resume_job,
    RENDERFARM_OT_retry_job,
    RENDERFARM_OT_cancel_job,
    RENDERFARM_OT_job_priority,
    RENDERFARM_OT_follow_frames,
    RENDERFARM_OT_copy_details,
)
