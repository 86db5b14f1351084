"""The simulated farm, where its arithmetic can be done by hand."""

from pathlib import Path

import pytest

from benchmarks.farm_simulation import Crashes, Submission, simulate
from benchmarks.simulated_slot import UPLOAD_SECONDS


def job(frames: int, seconds: float = 10.0, arrival: float = 0.0, user: str = "ana") -> Submission:
    return Submission(user=user, arrival=arrival, costs=[seconds] * frames, load=20.0)


async def test_a_slot_loads_once_and_renders_without_a_gap(tmp_path: Path) -> None:
    ledger, _ = await simulate(tmp_path, [2.0], [job(6)])
    assert ledger.last_finished == pytest.approx(20 + 6 * 10 / 2 + UPLOAD_SECONDS)
    assert ledger.busy == pytest.approx(50)
    assert (ledger.loads, ledger.wasted, ledger.spoilt_frames) == (1, 0.0, 0)


async def test_a_slot_that_waits_is_woken_by_a_submission(tmp_path: Path) -> None:
    ledger, _ = await simulate(tmp_path, [1.0], [job(1, arrival=100.0)])
    assert ledger.last_finished == pytest.approx(100 + 20 + 10 + UPLOAD_SECONDS)
    assert ledger.present() - ledger.busy == pytest.approx(100 + UPLOAD_SECONDS)


async def test_another_scene_is_loaded_anew(tmp_path: Path) -> None:
    ledger, _ = await simulate(tmp_path, [1.0], [job(2), job(2, arrival=1.0)])
    assert ledger.loads == 2
    assert ledger.busy == pytest.approx(2 * (20 + 20))


async def test_fixed_chunks_are_fixed(tmp_path: Path) -> None:
    _, granted = await simulate(tmp_path, [1.0, 2.0], [job(10)], chunk_frames=3, hedge=False)
    assert granted == 4


async def test_what_a_crash_spoils_is_counted_and_rendered_again(tmp_path: Path) -> None:
    # The second frame dies after 5 of its 10 s; at 70 s and so on there is nobody to die.
    crashes = Crashes(every_seconds=35.0, back_after_seconds=176.0, seed=1)
    ledger, _ = await simulate(tmp_path, [1.0], [job(2)], crashes=crashes)
    assert ledger.last_finished == pytest.approx(35 + 176 + 20 + 10 + UPLOAD_SECONDS)
    assert ledger.present() == pytest.approx(35 + 30 + UPLOAD_SECONDS)
    assert ledger.wasted == pytest.approx(5)
    assert (ledger.loads, ledger.spoilt_frames) == (2, 1)


async def test_the_same_farm_runs_the_same_every_time(tmp_path: Path) -> None:
    speeds, jobs = [1.0, 3.0, 2.0], [job(20), job(7, seconds=4.0, arrival=30.0, user="ben")]
    crashes = Crashes(every_seconds=60.0, back_after_seconds=40.0, seed=3)
    folders = tmp_path / "one", tmp_path / "other"
    for folder in folders:
        folder.mkdir()
    one, other = [await simulate(folder, speeds, jobs, crashes=crashes) for folder in folders]
    assert one[1] == other[1]
    assert (one[0].last_finished, one[0].busy, one[0].wasted) == (
        other[0].last_finished,
        other[0].busy,
        other[0].wasted,
    )
