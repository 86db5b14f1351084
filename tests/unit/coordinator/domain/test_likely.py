"""What is read ahead for several slots: the jobs that the board is likely to choose for them."""

from dataclasses import replace

from tests.unit.coordinator.domain.boards import GPU_ONLY, OFFER, a_board, a_user
from tests.unit.coordinator.domain.records import a_job, at


def test_what_several_slots_are_likely_to_be_given_is_told_before_they_ask() -> None:
    """As each is given a job, its owner and the job itself fall behind the others."""
    jobs = {number: a_job(number, created_by=("ana", "ben", "eve")[number % 3]) for number in range(1, 10)}
    jobs |= {10: a_job(10, priority=10), 11: a_job(11, priority=90, needs=GPU_ONLY)}
    board = a_board(*jobs.values())
    for count in (1, 2, 5, 9):
        assert len(board.likely([OFFER] * count, at(0))) == count
    likely = board.likely([OFFER] * 7, at(0))
    vtimes = {"ana": 0.0, "ben": 0.0, "eve": 0.0}
    for _ in range(7):
        (job_id,) = board.candidates(OFFER, at(0), limit=1)
        assert job_id in likely
        job = jobs[job_id] = replace(jobs[job_id], vtime=jobs[job_id].vtime + 20.0)
        vtimes[job.created_by] += 20.0
        board.put_job(job)
        board.put_user(a_user(job.created_by, vtimes[job.created_by]))
    assert board.likely([OFFER] * 99, at(0)) == set(range(1, 11))
    warm = replace(OFFER, open_pack="pack 12")
    board.put_job(a_job(12, created_by="ana", vtime=30.0))
    assert 12 in board.likely([OFFER, warm], at(0))
    assert board.likely([], at(0)) == set()
