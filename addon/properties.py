"""What the artist can set for a job, saved with the scene, and the list of jobs as Blender's list widget needs it.

Everything left alone is as the scene says, or as the farm does by itself.
"""

from collections.abc import Iterator

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    IntVectorProperty,
    StringProperty,
)

from . import state

CAMERAS = (
    ("SCENE", "As in the Scene", "Render through the active camera, and those that markers switch to"),
    ("ONE", "One Camera", "Render all frames through one camera"),
    ("EACH", "Every Camera", "Render through each of the scene's cameras, in a job and a folder of its own"),
)
ENGINES = (
    ("CYCLES", "Cycles", ""),
    ("EEVEE", "EEVEE", ""),
    ("WORKBENCH", "Workbench", ""),
)
FORMATS = (
    ("SCENE", "As in the Scene", "What the scene is set to, or what comes nearest of those that the farm writes"),
    ("PNG", "PNG", ""),
    ("JPEG", "JPEG", ""),
    ("OPEN_EXR", "OpenEXR", "All of the light, for compositing"),
    ("OPEN_EXR_MULTILAYER", "OpenEXR MultiLayer", "All of the light, and all passes of all view layers in one file"),
)
DEVICES = (
    ("ANY", "Any", "Whatever is free"),
    ("CPU", "Processor", "Processors only"),
    ("GPU", "Any Graphics Card", "Graphics cards only"),
    ("CUDA", "CUDA", ""),
    ("OPTIX", "OptiX", ""),
    ("HIP", "HIP", ""),
    ("ONEAPI", "oneAPI", ""),
    ("METAL", "Metal", ""),
)


def _cameras(_settings: object, context: bpy.types.Context, _typed: str) -> Iterator[str]:
    return (item.name for item in context.scene.objects if item.type == "CAMERA")


def _pools(_settings: object, _context: bpy.types.Context, _typed: str) -> Iterator[str]:
    return iter(state.current().feed.latest().facts.pools)


def _begin_with_rendered_layers(settings: bpy.types.PropertyGroup, _context: bpy.types.Context) -> None:
    """Let the artist change what the scene says, and not begin from nothing."""
    if settings.use_view_layers:
        for layer in settings.id_data.view_layers:
            layer.renderfarm.wanted = layer.use


class LayerSettings(bpy.types.PropertyGroup):
    """What to do with a view layer, where the artist chooses among them."""

    wanted: BoolProperty(name="Render on Farm", description="Render this view layer on the farm")


class JobSettings(bpy.types.PropertyGroup):
    """What to change for the farm."""

    job_name: StringProperty(
        name="Name", description="What the job is called on the farm; empty: the name of the file", maxlen=200
    )
    # What is rendered.
    frames: StringProperty(
        name="Frames",
        description="Frames to render, as 1-10, 1,3,5-9 or 1-100:5 (every fifth); empty: the scene's own range",
        maxlen=1000,
    )
    cameras: EnumProperty(name="Cameras", description="What the pictures are rendered through", items=CAMERAS)
    camera: StringProperty(name="Camera", description="All frames are rendered through it", search=_cameras)
    use_view_layers: BoolProperty(
        name="View Layers",
        description="Render other view layers than those that are set to be rendered",
        update=_begin_with_rendered_layers,
    )
    use_engine: BoolProperty(name="Engine", description="Render with another engine than the scene says")
    engine: EnumProperty(name="Engine", description="The engine to render with", items=ENGINES)
    use_samples: BoolProperty(name="Samples", description="Render with another number of samples than the scene says")
    samples: IntProperty(name="Samples", description="Samples for each pixel", default=64, min=1, max=1_000_000)
    use_resolution: BoolProperty(name="Resolution", description="Render with another resolution than the scene says")
    resolution: IntVectorProperty(
        name="Resolution",
        description="Width and height in pixels, before the percentage",
        size=2,
        default=(1920, 1080),
        min=4,
        max=65536,
    )
    use_percentage: BoolProperty(name="Percentage", description="Render at another percentage of the resolution")
    percentage: IntProperty(
        name="Percentage",
        description="Percentage of the resolution",
        subtype="PERCENTAGE",
        default=50,
        min=1,
        max=1000,
        soft_max=100,
    )
    # What comes out.
    file_format: EnumProperty(name="File Format", description="What the frames are saved as", items=FORMATS)
    video: BoolProperty(
        name="Video",
        description="Make an MP4 of the frames when all are rendered; a single frame makes none",
        default=True,
    )
    sound: BoolProperty(name="Sound", description="Give the video the scene's sound, if it has any", default=True)
    # Who renders it, and when.
    priority: IntProperty(
        name="Priority", description="Jobs with a higher priority are rendered first", default=50, min=0, max=100
    )
    device: EnumProperty(name="Device", description="What the frames are rendered with", items=DEVICES)
    pool: StringProperty(
        name="Pool", description="Only agents of this pool render it; empty: all agents", maxlen=200, search=_pools
    )
    tags: StringProperty(
        name="Tags",
        description="Only agents that have all of these tags, separated by commas; empty: all agents",
        maxlen=1000,
    )
    max_slots: IntProperty(
        name="Slots at Most",
        description="No more render it at once, so that others get some of the farm too; 0: as many as there are",
        min=0,
        max=1_000_000,
        soft_max=100,
    )
    first_look: BoolProperty(
        name="First Look", description="Begin with the first, the middle and the last frame, and go on between them"
    )
    scripts: BoolProperty(
        name="Run Python",
        description="Run the Python in the file: registered texts and driver expressions.  You must be allowed to",
    )
    # What few need.
    use_chunk: BoolProperty(name="Frames at Once", description="Give agents so many frames at a time, not what fits")
    chunk_frames: IntProperty(
        name="Frames at Once", description="Frames that an agent is given at a time", default=10, min=1, max=10_000
    )
    target_seconds: FloatProperty(
        name="Time at Once",
        description="Agents are given as many frames at a time as take about so long",
        subtype="TIME_ABSOLUTE",
        unit="TIME_ABSOLUTE",
        default=60,
        min=1,
        max=86_400,
        precision=0,
    )
    vram_gb: FloatProperty(
        name="Graphics Memory",
        description="Only cards with so much memory (GB); 0: any",
        min=0,
        max=1000,
        soft_max=80,
        precision=0,
        step=100,
    )
    max_retries: IntProperty(
        name="Retries", description="How often a frame that fails is tried again", default=3, min=0, max=100
    )
    hedge: BoolProperty(
        name="Help Slow Frames",
        description="A frame that takes far too long may be rendered by a second slot",
        default=True,
    )
    cpu_fallback: BoolProperty(
        name="Processor When Too Large",
        description="Render frames that fit into no graphics card of the farm on processors",
    )
    stop_on_missing: BoolProperty(
        name="Stop on Missing Files", description="Give the job up when files are missing on the farm"
    )
    persistent_data: BoolProperty(
        name="Persistent Data",
        description="Keep what was prepared for a frame for the next one; faster, and takes more memory",
        default=True,
    )


class JobItem(bpy.types.PropertyGroup):
    """A line of the list of jobs: what it shows is looked up by its id.  ``name`` is every item's own property."""

    job_id: StringProperty()
    """Text, because Blender's integers have 32 bits."""


class JobList(bpy.types.PropertyGroup):
    """The jobs last heard of, as Blender's list widget needs them; lives as long as Blender runs."""

    jobs: CollectionProperty(type=JobItem)
    active: IntProperty(name="Job")


CLASSES = (LayerSettings, JobSettings, JobItem, JobList)
