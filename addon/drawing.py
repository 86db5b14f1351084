"""Sentences and findings in panels and dialogs.  Blender's labels do not wrap: text is broken into lines here."""

from collections.abc import Iterable, Iterator
from functools import lru_cache

import blf
import bpy

from .fixes import draw_fix
from .preflight import Problem, Severity

#: Blender's interface font.
_FONT = 0
#: Pixels that margins and an icon take from a line, at a resolution scale of 1, and the narrowest line.
_MARGIN, _NARROWEST = 75, 100

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
    points = context.preferences.ui_styles[0].widget.points
    column = layout.column(align=True)
    column.alert = alert
    column.scale_y = 0.8
    for line in _lines(bpy.app.translations.pgettext_iface(text), max(_NARROWEST, int(room) - _MARGIN), points):
        # The whole sentence was translated, if there are words for it.
        column.label(text=line, icon=icon, translate=False)
        icon = "BLANK1"


@lru_cache(maxsize=256)
def _lines(text: str, width: int, points: float) -> tuple[str, ...]:
    """Break a text where the next word would not fit into ``width`` pixels, and a path where it must be."""
    blf.size(_FONT, points)
    lines, line = [], ""
    for word in _words(text, width):
        longer = f"{line} {word}" if line else word
        if line and blf.dimensions(_FONT, longer)[0] > width:
            lines.append(line)
            line = word
        else:
            line = longer
    return (*lines, line)


def _words(text: str, width: int) -> Iterator[str]:
    for word in text.split():
        rest = word
        while blf.dimensions(_FONT, rest)[0] > width and len(rest) > 1:
            fits = next(n for n in range(len(rest) - 1, 0, -1) if n == 1 or blf.dimensions(_FONT, rest[:n])[0] <= width)
            # Behind a part of a path, where there is one.
            cut = rest.rfind("/", 0, fits) + 1 or fits
            yield rest[:cut]
            rest = rest[cut:]
        yield rest


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
