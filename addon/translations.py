"""What the extension says in other languages than English.

Blender itself looks up the words of buttons, panels and properties, by what they are in English: a language is one more
dictionary here.  What is put together of several parts stays in English, as do the coordinator's own sentences.
"""

import bpy

_ANY, _OPERATOR = "*", "Operator"

_GERMAN = {
    (_ANY, "Advanced"): "Erweitert",
    (_ANY, "As in the Scene"): "Wie in der Szene",
    (_ANY, "Checks"): "Prüfung",
    (_ANY, "Device"): "Gerät",
    (_ANY, "E-Mail at the End"): "E-Mail am Ende",
    (_ANY, "Every Camera"): "Jede Kamera",
    (_ANY, "Farm Address"): "Adresse der Farm",
    (_ANY, "First Look"): "Erster Eindruck",
    (_ANY, "Frames at Once"): "Bilder auf einmal",
    (_ANY, "Graphics Memory"): "Grafikspeicher",
    (_ANY, "Help Slow Frames"): "Langsamen Bildern helfen",
    (_ANY, "Jobs"): "Aufträge",
    (_ANY, "No jobs on the farm yet"): "Noch keine Aufträge auf der Farm",
    (_ANY, "Jobs are shown once the farm is reached"): "Aufträge sind zu sehen, sobald die Farm erreicht ist",
    (_ANY, "One Camera"): "Eine Kamera",
    (_ANY, "Persistent Data"): "Daten behalten",
    (_ANY, "Pool"): "Gruppe",
    (_ANY, "Priority"): "Vorrang",
    (_ANY, "Processor When Too Large"): "Prozessor, wenn zu groß",
    (_ANY, "Render Farm"): "Renderfarm",
    (
        _ANY,
        "Render this scene on many machines.  Which farm is yours?",
    ): "Diese Szene auf vielen Rechnern rendern.  Welche Farm ist deine?",
    (_ANY, "Result"): "Ergebnis",
    (_ANY, "Retries"): "Wiederholungen",
    (_ANY, "Run Python"): "Python ausführen",
    (_ANY, "Slots at Most"): "Höchstens so viele Plätze",
    (_ANY, "Slots at Most (Any)"): "Höchstens so viele Plätze (alle)",
    (_ANY, "Stop on Missing Files"): "Anhalten, wenn Dateien fehlen",
    (_ANY, "Submit in spite of the warnings?"): "Trotz der Warnungen senden?",
    (_ANY, "The farm has not answered yet"): "Die Farm hat noch nicht geantwortet",
    (_ANY, "The scene is checked when it is submitted"): "Die Szene wird beim Absenden geprüft",
    (_ANY, "The scene is ready for the farm"): "Die Szene ist bereit für die Farm",
    (_ANY, "Time at Once"): "Zeit auf einmal",
    (_ANY, "View Layers"): "Ansichtsebenen",
    (_ANY, "What Is Rendered"): "Was gerendert wird",
    (
        _ANY,
        "Blender may not use the network: it reaches a farm on this computer only.",
    ): "Blender darf nicht ins Netz: es erreicht nur eine Farm auf diesem Computer.",
    (_OPERATOR, "Accept This Format"): "Dieses Format verwenden",
    (_OPERATOR, "Add a Camera"): "Kamera hinzufügen",
    (_OPERATOR, "Allow Online Access"): "Zugriff aufs Netz erlauben",
    (_OPERATOR, "Bake All Dynamics"): "Alles backen",
    (_OPERATOR, "Cancel Job"): "Auftrag abbrechen",
    (_OPERATOR, "Check Now"): "Jetzt prüfen",
    (_OPERATOR, "Connect…"): "Verbinden…",
    (_OPERATOR, "Copy Details"): "Einzelheiten kopieren",
    (_OPERATOR, "Do Not Run Python"): "Python nicht ausführen",
    (_OPERATOR, "Download to Output Path"): "In den Ausgabepfad laden",
    (_OPERATOR, "Find a Farm"): "Farm suchen",
    (_OPERATOR, "Find Missing Files…"): "Fehlende Dateien suchen…",
    (_OPERATOR, "Frames as Strip"): "Bilder als Streifen",
    (_OPERATOR, "Leave the Sound Out"): "Ton weglassen",
    (_OPERATOR, "Open in Browser"): "Im Browser öffnen",
    (_OPERATOR, "Open the Browser"): "Browser öffnen",
    (_OPERATOR, "Pause"): "Anhalten",
    (_OPERATOR, "Render All View Layers"): "Alle Ansichtsebenen rendern",
    (_OPERATOR, "Render Animation on Farm"): "Animation auf der Farm rendern",
    (_OPERATOR, "Render as in the Scene"): "Wie in der Szene rendern",
    (_OPERATOR, "Render Image on Farm"): "Bild auf der Farm rendern",
    (_OPERATOR, "Resume"): "Fortsetzen",
    (_OPERATOR, "Retry Failed Frames"): "Fehlgeschlagene Bilder wiederholen",
    (_OPERATOR, "Show Latest Frame"): "Neuestes Bild zeigen",
    (_OPERATOR, "Submit All the Same"): "Trotzdem senden",
    (_OPERATOR, "Submit to Farm"): "An die Farm senden",
    (_OPERATOR, "Swap Start and End"): "Anfang und Ende tauschen",
    (_OPERATOR, "Test Connection"): "Verbindung prüfen",
    (_OPERATOR, "Turn Denoising Off"): "Entrauschen ausschalten",
    (_OPERATOR, "Use All Agents"): "Alle Rechner verwenden",
    (_OPERATOR, "Use Any Device"): "Jedes Gerät verwenden",
    (_OPERATOR, "Use OpenImageDenoise"): "OpenImageDenoise verwenden",
    (_OPERATOR, "Use Stereo 3D"): "Stereo 3D verwenden",
    (_OPERATOR, "Use the Scene's Camera"): "Kamera der Szene verwenden",
    (_OPERATOR, "Use the Scene's Range"): "Bereich der Szene verwenden",
    (_OPERATOR, "Video as Strip"): "Video als Streifen",
}

#: By language; Blender looks for ``de_DE`` first, and for this then.
WORDS = {"de": _GERMAN}


def add() -> None:
    """Have Blender know them."""
    bpy.app.translations.register(__package__, WORDS)


def remove() -> None:
    """Take them back."""
    bpy.app.translations.unregister(__package__)
