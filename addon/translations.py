"""What the extension says in other languages than English.

Blender itself looks up the words of buttons, panels and properties, by what they are in English: a language is one more
dictionary here.  What is put together of several parts stays in English, as do the coordinator's own sentences.
"""

import bpy

_ANY, _OPERATOR = "*", "Operator"

_GERMAN = {
    (_ANY, "Checks"): "Prüfung",
    (_ANY, "E-Mail at the End"): "E-Mail am Ende",
    (_ANY, "Every Camera"): "Jede Kamera",
    (_ANY, "Farm Address"): "Adresse der Farm",
    (_ANY, "First Look"): "Erster Eindruck",
    (_ANY, "Jobs"): "Aufträge",
    (_ANY, "No jobs on the farm yet"): "Noch keine Aufträge auf der Farm",
    (_ANY, "One Camera"): "Eine Kamera",
    (_ANY, "Priority"): "Vorrang",
    (_ANY, "Render Farm"): "Renderfarm",
    (_ANY, "Result"): "Ergebnis",
    (_ANY, "Slots at Most"): "Höchstens so viele Plätze",
    (_ANY, "The farm has not answered yet"): "Die Farm hat noch nicht geantwortet",
    (_ANY, "The scene is checked when it is submitted"): "Die Szene wird beim Absenden geprüft",
    (_ANY, "The scene is ready for the farm"): "Die Szene ist bereit für die Farm",
    (_ANY, "What Is Rendered"): "Was gerendert wird",
    (_OPERATOR, "Check Now"): "Jetzt prüfen",
    (_OPERATOR, "Connect…"): "Verbinden…",
    (_OPERATOR, "Copy Details"): "Einzelheiten kopieren",
    (_OPERATOR, "Download to Output Path"): "In den Ausgabepfad laden",
    (_OPERATOR, "Render Animation on Farm"): "Animation auf der Farm rendern",
    (_OPERATOR, "Render Image on Farm"): "Bild auf der Farm rendern",
    (_OPERATOR, "Retry Failed Frames"): "Fehlgeschlagene Bilder wiederholen",
    (_OPERATOR, "Show Latest Frame"): "Neuestes Bild zeigen",
    (_OPERATOR, "Submit to Farm"): "An die Farm senden",
    (_OPERATOR, "Test Connection"): "Verbindung prüfen",
}

#: By language; Blender looks for ``de_DE`` first, and for this then.
WORDS = {"de": _GERMAN}


def add() -> None:
    """Have Blender know them."""
    bpy.app.translations.register(__package__, WORDS)


def remove() -> None:
    """Take them back."""
    bpy.app.translations.unregister(__package__)
