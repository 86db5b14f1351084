"""Sentences and findings in panels and dialogs.  Blender's labels do not wrap: text is broken into lines here."""

import textwrap
from collections.abc import Iterable

import bpy

from .fixes import draw_fix
from .preflight import Problem, Severity

#: Pixels that a character of Blender's interface font takes on average, at a resolution scale of 1.
_CHARACTER_WIDTH = 5.6
#: Pixels that margins and an icon take from a line, likewise.
_MARGIN = 75
_FEWEST_CHARACTERS = 20

_PROBLEM_ICONS = {Severity.ERROR: "CANCEL", Severity.WARNING: "ERROR", Severity.INFO: "INFO"}


def draw_text(
    layout: bpy.types.UILayout,
    context: bpy.types.Context,
    text: str,
    *,
    icon: str,
    alert: bool = False,
    width: float | None = None,
) -> None:
    """Draw a sentence over as many lines as it takes, with an icon before the first.

    ``width`` is the room in pixels at a resolution scale of 1; left out, it is the region's.
    """
    room = context.region.width / context.preferences.system.ui_scale if width is None else width
    column = layout.column(align=True)
    column.alert = alert
    column.scale_y = 0.8
    for line in textwrap.wrap(text, max(_FEWEST_CHARACTERS, int((room - _MARGIN) / _CHARACTER_WIDTH))):
        column.label(text=line, icon=icon)
        icon = "BLANK1"


def draw_problems(
    layout: bpy.types.UILayout,
    context: bpy.types.Context,
    problems: Iterable[Problem],
    *,
    width: float | None = None,
    fixes: bool = False,
) -> None:
    """Draw what the preflight found, in the order given, and with ``fixes`` the buttons that mend it."""
    for problem in problems:
        is_error = problem.severity is Severity.ERROR
        place = layout.box() if fixes else layout
        draw_text(place, context, str(problem), icon=_PROBLEM_ICONS[problem.severity], alert=is_error, width=width)
        if fixes:
            draw_fix(place, problem.fix)


def draw_trouble(layout: bpy.types.UILayout, context: bpy.types.Context, sentence: str, *, details: str = "") -> None:
    """Draw what went wrong, and a button that copies it with all that is known."""
    box = layout.box()
    draw_text(box, context, sentence, icon="CANCEL", alert=True)
    box.operator("renderfarm.copy_details", icon="COPYDOWN").text = details or sentence


def draw_progress(layout: bpy.types.UILayout, text: str, fraction: float, cancel: str, *, scale: float = 1.0) -> None:
    """Draw how far something is, and the button that cancels it."""
    row = layout.row(align=True)
    row.scale_y = scale
    row.progress(factor=fraction, text=text)
    row.operator(cancel, text="", icon="X")
