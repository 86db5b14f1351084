"""Bringing back what the farm has rendered: as files, and as strips in the video sequencer."""

from pathlib import Path

import bpy
from bpy.props import BoolProperty, EnumProperty, StringProperty

from . import refresh, state
from .chosen_farm import chosen_connection, may_ask_the_farm
from .destinations import recall
from .farm_job import FarmJob
from .job_operators import chosen_job
from .output_paths import destination_of
from .results import Download, Placement, safe_name


class _Download:
    """Something is finished, and no other download runs."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """A job is chosen that something is finished of."""
        job = chosen_job(context)
        if job is None or not job.finished or state.current().is_downloading:
            return False
        return may_ask_the_farm(cls, context)


class RENDERFARM_OT_download(_Download, bpy.types.Operator):
    """Save the job's finished frames, and its video when there is one, into a folder of your choice"""

    bl_idname = "renderfarm.download"
    bl_label = "Download to…"

    directory: StringProperty(name="Folder", subtype="DIR_PATH", options={"SKIP_SAVE"})
    filter_folder: BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Ask for the folder."""
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Fetch into a folder of the job's own, in the chosen one."""
        if (job := chosen_job(context)) is None:
            return {"CANCELLED"}
        folder = Path(bpy.path.abspath(self.directory)) / f"{safe_name(job.name)}-{job.id}"
        _begin(context, job, Placement.in_folder(folder, job.name))
        return {"FINISHED"}


class RENDERFARM_OT_download_here(_Download, bpy.types.Operator):
    """Save the job's finished frames where Blender would have, under the names it would have given them"""

    bl_idname = "renderfarm.download_here"
    bl_label = "Download to Output Path"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Fetch to the output path that the scene had when it was submitted, or else has now."""
        if (job := chosen_job(context)) is None:
            return {"CANCELLED"}
        destination = recall(chosen_connection(context).address, job.id) or destination_of(context.scene)
        if destination is None:
            self.report({"ERROR"}, "The scene's output path is not known yet: save the file, or download to a folder")
            return {"CANCELLED"}
        _begin(context, job, destination.placement(job.name))
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


class RENDERFARM_OT_add_strip(bpy.types.Operator):
    """Add what was downloaded to the scene's video sequencer, at the current frame"""

    bl_idname = "renderfarm.add_strip"
    bl_label = "Add Strip"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender reads it from the class

    what: EnumProperty(
        name="What",
        items=(("FRAMES", "Frames", "The frames as pictures"), ("VIDEO", "Video", "The MP4, with its sound")),
    )

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Something was downloaded."""
        download = state.current().download
        return download is not None and bool(download.frames or download.video)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Add the strip above all others."""
        download = state.current().download
        if download is None:
            return {"CANCELLED"}
        editor = context.scene.sequence_editor or context.scene.sequence_editor_create()
        strips = editor.strips if hasattr(editor, "strips") else editor.sequences
        channel = max((strip.channel for strip in strips), default=0) + 1
        start = context.scene.frame_current
        if self.what == "VIDEO":
            if download.video is None:
                self.report({"ERROR"}, "The job has no video")
                return {"CANCELLED"}
            path = str(download.video)
            strips.new_movie(download.video.stem, path, channel + 1, start)
            if not bpy.app.build_options.audaspace:  # this Blender knows no sound
                return {"FINISHED"}
            strip = strips.new_sound(download.video.stem, path, channel, start)
            sound = strip.sound
            if sound.channels == "INVALID":  # there is none in the file
                strips.remove(strip)
                bpy.data.sounds.remove(sound)
            return {"FINISHED"}
        first = download.frames[0][1]
        strip = strips.new_image(first.parent.name, str(first), channel, start)
        for _, file in download.frames[1:]:
            strip.elements.append(file.name)
        strip.frame_final_duration = len(download.frames)
        return {"FINISHED"}


def _begin(context: bpy.types.Context, job: FarmJob, placement: Placement) -> None:
    now = state.current()
    now.download = Download(chosen_connection(context).client(), job.id, placement)
    now.download.start()
    refresh.hurry()


CLASSES = (
    RENDERFARM_OT_download,
    RENDERFARM_OT_download_here,
    RENDERFARM_OT_cancel_download,
    RENDERFARM_OT_add_strip,
)
