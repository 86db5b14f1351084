"""Lines of the session protocol."""

import pytest

from agent.blender.output import (
    MAX_LINE_BYTES,
    BadLineError,
    Configured,
    Event,
    Failed,
    MissingFile,
    Opened,
    Progress,
    Ready,
    parse_event,
)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b'{"event": "ready", "blender": [4, 5, 15]}\n', Ready(blender=(4, 5, 15))),
        (
            b'{"event":"opened","file_version":[4,5,0],"missing":[{"kind":"k","name":"n","path":"p"}],"warnings":["w"]}',
            Opened(file_version=(4, 5, 0), missing=[MissingFile(kind="k", name="n", path="p")], warnings=["w"]),
        ),
        (
            b'{"event":"configured","width":null,"height":null,"extension":"png","engine":"CYCLES","warnings":[]}',
            Configured(width=None, height=None, extension="png", engine="CYCLES", warnings=[]),
        ),
        (
            b'{"event": "progress", "progress": 0.5, "remaining_seconds": null, "memory_bytes": 1, "later": 1}',
            Progress(progress=0.5, remaining_seconds=None, memory_bytes=1),
        ),
        (b'{"event": "error", "code": "no_scene", "message": "None."}', Failed(code="no_scene", message="None.")),
    ],
)
def test_event(line: bytes, expected: Event) -> None:
    assert parse_event(line) == expected


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"Fra:1 Mem:8M",
        b'{"event": "ready"}',
        b'{"event": "unheard of"}',
        b'{"event": "progress", "progress": 1.5, "remaining_seconds": null, "memory_bytes": 1}',
        b'{"event": "ready", "blender": [4, 5]}',
        b'{"event": "error", "code": "\xff", "message": ""}',
        b" " * (MAX_LINE_BYTES + 1),
    ],
)
def test_no_event(line: bytes) -> None:
    with pytest.raises(BadLineError):
        parse_event(line)
