"""Small farms in virtual time, whose slots carry out whatever the agent's own state machine says."""

from pathlib import Path

import pytest

from agent.upkeep import CHECK_AFTER
from benchmarks.farm_simulation import Crashes, Submission, simulate
from benchmarks.ledger import Ledger
from benchmarks.simulated_slot import SOUND_SECONDS, UPLOAD_SECONDS


def a_job(frames: int) -> Submission:
    return Submission(user="ana", arrival=0.0, costs=[10.0] * frames, load=20.0)


async def test_one_slot_loads_once_and_never_waits(tmp_path: Path) -> None:
    ledger, _ = await simulate(tmp_path, [2.0], [a_job(12)])
    assert ledger.loads == 1
    assert ledger.last_finished == pytest.approx(20.0 + 12 * 5.0 + UPLOAD_SECONDS, abs=0.1)
    assert ledger.spoilt_frames == 0


async def test_sound_is_mixed_once(tmp_path: Path) -> None:
    ledger, _ = await simulate(tmp_path, [1.0, 1.0], [a_job(6)], sound=True, video=True)
    assert ledger.busy == pytest.approx(2 * 20.0 + 6 * 10.0 + SOUND_SECONDS)


async def test_the_first_frame_is_rendered_once_more_for_a_check(tmp_path: Path) -> None:
    ledger, _ = await simulate(tmp_path, [1.0], [a_job(CHECK_AFTER + 5)])
    assert ledger.busy == pytest.approx(20.0 + (CHECK_AFTER + 5 + 1) * 10.0)


@pytest.mark.parametrize("announced", [False, True])
async def test_agents_come_back_after_they_were_lost_or_stopped(tmp_path: Path, announced: bool) -> None:
    crashes = Crashes(every_seconds=45.0, back_after_seconds=20.0, seed=1, announced=announced)
    ledger, _ = await simulate(tmp_path, [1.0, 1.0], [a_job(20)], crashes=crashes)
    assert gone_for_a_while(ledger)
    # Who is stopped finishes its frame; what was rendered by one that was lost is lost with it.
    assert (ledger.spoilt_frames == 0) == announced


def gone_for_a_while(ledger: Ledger) -> bool:
    return any(len(presence.spans) > 1 for presence in ledger.presences.values())
