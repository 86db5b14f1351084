"""What the artist can set for a job, saved with the scene, and the list of jobs as Blender's list widget needs it."""

import bpy
from bpy.props import BoolProperty, CollectionProperty, IntProperty, StringProperty


class JobSettings(bpy.types.PropertyGroup):
    """What to change for the farm; everything left alone is as the scene says."""

    job_name: StringProperty(
        name="Name", description="What the job is called on the farm; empty: the name of the file", maxlen=200
    )
    frames: StringProperty(
        name="Frames",
        description="Frames to render, as 1-10, 1,3,5-9 or 1-100:5 (every fifth); empty: the scene's own range",
        maxlen=1000,
    )
    use_samples: BoolProperty(name="Samples", description="Render with another number of samples than the scene says")
    samples: IntProperty(name="Samples", description="Samples for each pixel", default=64, min=1, max=1_000_000)
    use_percentage: BoolProperty(name="Resolution", description="Render at another percentage of the resolution")
    percentage: IntProperty(
        name="Resolution",
        description="Percentage of the scene's resolution",
        subtype="PERCENTAGE",
        default=50,
        min=1,
        max=1000,
        soft_max=100,
    )
    video: BoolProperty(
        name="Make a Video",
        description="Make an MP4 of the frames, with the scene's sound, when all are rendered",
        default=True,
    )
    priority: IntProperty(
        name="Priority", description="Jobs with a higher priority are rendered first", default=50, min=0, max=100
    )


class JobItem(bpy.types.PropertyGroup):
    """A line of the list of jobs: what it shows is looked up by its id.  ``name`` is every item's own property."""

    job_id: StringProperty()
    """Text, because Blender's integers have 32 bits."""


class JobList(bpy.types.PropertyGroup):
    """The jobs last heard of, as Blender's list widget needs them; lives as long as Blender runs."""

    jobs: CollectionProperty(type=JobItem)
    active: IntProperty(name="Job")


CLASSES = (JobSettings, JobItem, JobList)
