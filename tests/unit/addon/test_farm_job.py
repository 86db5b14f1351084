"""A job as the farm tells of it."""

from typing import Any

import pytest

from addon.client import FarmError
from addon.farm_job import FarmJob, duration

ANSWER: dict[str, Any] = {
    "id": 7,
    "name": "Shot 010",
    "state": "running",
    "reason": None,
    "frame_count": 24,
    "finished": 6,
    "progress": 0.256,
    "eta_seconds": 125.0,
    "video_ready": False,
}


def job(**changes: Any) -> FarmJob:
    return FarmJob.from_answer({**ANSWER, **changes})


def test_an_answer_is_read() -> None:
    assert job() == FarmJob(
        id=7,
        name="Shot 010",
        state="running",
        reason="",
        waiting="",
        frame_count=24,
        finished=6,
        progress=0.256,
        eta_seconds=125.0,
        video_ready=False,
    )


@pytest.mark.parametrize("changes", [{"id": "seven"}, {"progress": None}, {"eta_seconds": [1]}, {"finished": "many"}])
def test_an_answer_of_another_kind_is_refused_in_words(changes: dict[str, Any]) -> None:
    with pytest.raises(FarmError, match="older or newer than the coordinator"):
        job(**changes)


def test_why_nothing_renders_it_is_told() -> None:
    assert job(state="queued", waiting="No agent is online.").waiting == "No agent is online."


def test_an_answer_with_a_part_missing_is_refused_in_words() -> None:
    with pytest.raises(FarmError, match="finished"):
        FarmJob.from_answer({name: value for name, value in ANSWER.items() if name != "finished"})


def test_progress_stays_within_the_bar() -> None:
    assert job(progress=1.5).progress == 1.0
    assert job(progress=-1).progress == 0.0


@pytest.mark.parametrize(
    ("changes", "detail", "under_way"),
    [
        ({}, "26% · 2 min", True),
        ({"eta_seconds": None}, "26%", True),
        ({"state": "queued"}, "Waiting", True),
        ({"state": "blocked"}, "After other jobs", True),
        ({"state": "paused"}, "Paused", True),
        ({"state": "stitching"}, "Making the video", True),
        ({"state": "completed"}, "Done", False),
        ({"state": "failed"}, "Failed", False),
        ({"state": "cancelled"}, "Cancelled", False),
    ],
)
def test_a_job_is_put_into_a_few_words(changes: dict[str, Any], detail: str, under_way: bool) -> None:
    assert job(**changes).detail == detail
    assert job(**changes).under_way is under_way


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "1 s"), (59, "59 s"), (60, "1 min"), (89, "1 min"), (3599, "1 h"), (3600, "1 h"), (12000, "3 h 20 min")],
)
def test_a_length_of_time_is_said_as_people_do(seconds: float, text: str) -> None:
    assert duration(seconds) == text
