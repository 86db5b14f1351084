"""Whose fault a failure is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.domain.retry import (
    AGENT_LOST,
    OUT_OF_MEMORY,
    WORLD_FAULTS,
    Failure,
    Verdict,
    agent_verdict,
    frame_verdict,
    is_strike,
    job_verdict,
    may_retry,
    same_way,
    set_aside_altogether,
)

FAIL, RETRY = Verdict.FAIL, Verdict.RETRY


def failed(agent_id: int, code: str = "render_failed", message: str = "no camera") -> Failure:
    return Failure(agent_id, code, message)


def lost(agent_id: int) -> Failure:
    return Failure(agent_id, AGENT_LOST, "the agent was not heard of")


def test_three_retries_are_four_attempts() -> None:
    assert [may_retry(attempts, 3) for attempts in (1, 2, 3, 4)] == [True, True, True, False]
    assert not may_retry(1, 0)


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("Frame 12 has no camera.", "Frame 7 has no camera.", True),
        ("It took 12.5 s.", "It took 7 s", False),
        ("It took 12.5 s.", "It took 1 s.", True),
        ("Cannot read '/mnt/a b/x.exr'", "Cannot read '/data/c d/x.exr'", False),  # blanks end a path
        ("Cannot read /mnt/a/wood.exr: no such file", "Cannot read /data/wood.exr: no such file", True),
        ("Cannot read C:\\farm\\wood.exr.", "cannot read  D:\\wood.exr.", True),
        ("segmentation fault at 0xdeadbeef", "segmentation fault at 0x7f01", True),
        ("no camera", "no scene", False),
        ("", "", True),
    ],
)
def test_numbers_and_paths_do_not_tell_failures_apart(one: str, other: str, alike: bool) -> None:
    assert same_way(failed(1, message=one), failed(2, message=other)) is alike
    assert not same_way(failed(1, "crashed", one), failed(2, "timeout", other))


def test_what_is_certain_to_fail_again_is_tried_again_by_others_only() -> None:
    missing = failed(1, "missing_files", "wood.png is missing")
    assert frame_verdict([missing], 3, other_agents_can=True) == RETRY
    assert frame_verdict([missing], 3, other_agents_can=False) == FAIL
    assert frame_verdict([failed(1)], 3, other_agents_can=False) == RETRY


def test_the_world_is_no_ones_fault() -> None:
    for code in WORLD_FAULTS:
        assert not is_strike(code, other_agents_can=False)
    assert is_strike("crashed", other_agents_can=True)
    assert not is_strike(OUT_OF_MEMORY, other_agents_can=True)
    assert is_strike(OUT_OF_MEMORY, other_agents_can=False)


VERDICTS: list[tuple[str, list[Failure], bool, Verdict]] = [
    # what it shows, the attempts, whether another agent could try, the verdict when two retries are granted
    ("nothing happened", [], True, RETRY),
    ("one agent's word", [failed(1), failed(1)], True, RETRY),
    ("two agents fail alike", [failed(1), failed(2)], True, FAIL),
    ("with others in between", [failed(1), failed(3, "timeout"), failed(2)], True, FAIL),
    ("two agents fail each in its way", [failed(1), failed(2, "timeout")], True, RETRY),
    ("the retries are used up", [failed(1), failed(1), failed(1)], True, FAIL),
    ("in whatever way", [failed(1), failed(2, "crashed"), failed(3, "timeout")], True, FAIL),
    ("one agent is lost time and again", [lost(1), lost(1), lost(1), lost(1)], True, RETRY),
    ("and there is no other", [lost(1), lost(1), lost(1)], False, FAIL),
    ("two agents are lost by chance", [lost(1), lost(2)], True, RETRY),
    ("agents are lost with it again and again", [lost(1), lost(2), lost(3)], True, FAIL),
    ("one is lost and one fails", [lost(1), failed(2)], True, RETRY),
    ("the world's faults count nothing", [failed(1, "no_room"), failed(2, "no_room")] * 3, False, RETRY),
    ("another agent has more memory", [failed(1, OUT_OF_MEMORY), failed(2, OUT_OF_MEMORY)], True, RETRY),
    ("no agent has more memory", [failed(1, OUT_OF_MEMORY), failed(2, OUT_OF_MEMORY)], False, FAIL),
]


@pytest.mark.parametrize(("attempts", "others", "verdict"), [it[1:] for it in VERDICTS], ids=[it[0] for it in VERDICTS])
def test_what_becomes_of_a_frame(attempts: list[Failure], others: bool, verdict: Verdict) -> None:
    assert frame_verdict(attempts, 2, other_agents_can=others) == verdict
    assert frame_verdict(attempts[::-1], 2, other_agents_can=others) == verdict


def test_without_retries_one_attempt_is_all() -> None:
    assert frame_verdict([failed(1)], 0, other_agents_can=True) == FAIL
    assert frame_verdict([lost(1)], 0, other_agents_can=True) == RETRY
    assert frame_verdict([lost(1)], 0, other_agents_can=False) == FAIL


FAILURES = st.builds(
    Failure,
    st.integers(1, 3),
    st.sampled_from(["crashed", "timeout", AGENT_LOST, OUT_OF_MEMORY, "no_room"]),
    st.just(""),
)


@given(attempts=st.lists(FAILURES, max_size=12), more=FAILURES, retries=st.integers(0, 4), others=st.booleans())
def test_one_failure_more_never_saves_a_frame(
    attempts: list[Failure], more: Failure, retries: int, others: bool
) -> None:
    if frame_verdict(attempts, retries, other_agents_can=others) == FAIL:
        assert frame_verdict([*attempts, more], retries, other_agents_can=others) == FAIL
    if sum(it.code != "no_room" for it in attempts) > retries and not others:
        # A lone agent does not try for ever.
        assert frame_verdict(attempts, retries, other_agents_can=False) == FAIL


def test_an_agent_that_fails_what_others_render_is_set_aside() -> None:
    assert [agent_verdict(frames) for frames in (0, 1, 2, 3)] == [False, False, True, True]
    assert [set_aside_altogether(jobs) for jobs in (0, 1, 2, 3)] == [False, False, False, True]


def verdict(
    *failures: tuple[int, Failure], finished: int = 0, stop_after: int = 3, capable_agents: int = 2
) -> str | None:
    return job_verdict(finished=finished, failures=failures, stop_after=stop_after, capable_agents=capable_agents)


BROKEN = [(1, failed(1)), (2, failed(2)), (3, failed(1))]


def test_a_broken_scene_does_not_burn_a_night() -> None:
    assert verdict(*BROKEN) == "Its first 3 frames all failed the same way, so the rest was not tried: no camera"
    assert verdict((4, failed(1)), stop_after=1, capable_agents=1) == (
        "Its first frame failed, so the rest was not tried: no camera"
    )


@pytest.mark.parametrize(
    ("why", "failures", "change"),
    [
        ("a frame is finished", BROKEN, {"finished": 1}),
        ("it shall not stop", BROKEN, {"stop_after": 0}),
        ("it takes more frames", BROKEN, {"stop_after": 4}),
        ("one frame failed three times", [(1, failed(1)), (1, failed(2)), (1, failed(1))], {}),
        ("not all failed alike", [*BROKEN[:2], (3, failed(1, "crashed"))], {}),
        ("it may be the agent's fault", [(frame, failed(1)) for frame in (1, 2, 3)], {}),
        ("agents were lost", [(1, lost(1)), (2, lost(2)), (3, lost(1))], {}),
        ("disks were full", [(frame, failed(frame, "no_room")) for frame in (1, 2, 3)], {}),
        ("others have more memory", [(frame, failed(frame, OUT_OF_MEMORY)) for frame in (1, 2, 3)], {}),
    ],
)
def test_a_job_goes_on(why: str, failures: list[tuple[int, Failure]], change: dict[str, int]) -> None:
    assert verdict(*failures, **change) is None, why


def test_a_lone_agent_is_believed() -> None:
    alone = [(frame, failed(1)) for frame in (1, 2, 3)]
    assert verdict(*alone, capable_agents=1)
    # The second agent may tell it by any of the frames.
    assert verdict(*alone, (1, failed(2)))
    assert verdict((0, lost(2)), *alone, capable_agents=1)
