"""What Blender said about a frame is kept in short."""

from agent.blender.passage import HEAD_LINES, MAX_CHARACTERS, TAIL_LINES, Passage


def sample(number: int) -> str:
    return f"Fra:7 Mem:9.18M | Time:00:00.00 | Scene, ViewLayer | Sample {number}/4096"


def test_progress_is_thinned_out_and_the_rest_is_kept() -> None:
    passage = Passage()
    passage.add('Read blend: "scene.blend"', 0.0)
    for number in range(4096):
        passage.add(sample(number), number / 4)
        if number == 2000:
            passage.add("  ERROR (imb.load): cannot read wood.png \n", number / 4)
    passage.add("", 1024.0)
    passage.add("Saved: '0007.png'", 1025.0)
    lines = passage.text().split("\n")
    assert lines[0] == 'Read blend: "scene.blend"'
    # What it did when it said something else is there, and where it stood at the end.
    assert lines[lines.index("ERROR (imb.load): cannot read wood.png") - 1] == sample(2000)
    assert lines[-2:] == [sample(4095), "Saved: '0007.png'"]
    assert 40 < len(lines) < 100


def test_nothing_said_is_nothing() -> None:
    assert Passage().text() == ""


def test_of_very_much_the_beginning_and_the_end_are_kept() -> None:
    passage = Passage()
    for number in range(100_000):
        passage.add(f"Warning {number}", 0.0)
    lines = passage.text().split("\n")
    left_out = 100_000 - HEAD_LINES - TAIL_LINES
    assert lines[HEAD_LINES - 1 : HEAD_LINES + 1] == [f"Warning {HEAD_LINES - 1}", f"[{left_out} more lines]"]
    assert lines[-1] == "Warning 99999"


def test_long_lines_stay_within_the_limit() -> None:
    passage = Passage()
    for _ in range(200):
        passage.add("ä" * 5000, 0.0)
    assert MAX_CHARACTERS - 100 < len(passage.text()) <= MAX_CHARACTERS
