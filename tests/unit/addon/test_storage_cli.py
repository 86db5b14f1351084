"""The terminal's commands on what the farm keeps."""

import json

import pytest

from addon.storage_cli import shown, size_of
from tests.fakes.faulty_coordinator import FaultyCoordinator, status
from tests.unit.addon.commands import JOB, Run, answers, error_of

STORAGE = {
    "disk_total_bytes": 2 * 10**12,
    "disk_free_bytes": 5 * 10**11,
    "blob_bytes": 3 * 10**9,
    "sweep_bytes": 10**6,
    "keep_days": 30.0,
    "users": [{"name": "ana", "bytes": 10**9, "quota_bytes": None, "jobs": 3}],
    "jobs": [
        {"id": 7, "name": "shot", "user": "ana", "state": "completed", "keep": True, "bytes": 800, "freed_bytes": 500}
    ],
}


@pytest.mark.parametrize(
    ("text", "size"), [("200GB", 200 * 10**9), ("1.5 t", 1_500 * 10**9), ("500", 500), ("10mb", 10_000_000)]
)
def test_sizes(text: str, size: int) -> None:
    assert size_of(text) == size


def test_sizes_for_people() -> None:
    assert [shown(size) for size in (12, 4000, 2_500_000, 10**9, 3 * 10**12)] == [
        "12 bytes",
        "4 kB",
        "2.5 MB",
        "1.0 GB",
        "3.0 TB",
    ]


def test_deleting(run: Run, coordinator: FaultyCoordinator) -> None:
    for job in (1, 2):
        answers(coordinator, f"DELETE /api/v1/jobs/{job}", {"freed_bytes": 2_000_000}, {"freed_bytes": 0})
    assert "Job 1: it is deleted, 2.0 MB are freed." in run("delete", "1", "2").stdout
    gone = json.loads(run("delete", "1", "2", "--json").stdout)
    assert gone == {"items": [{"id": 1, "freed_bytes": 0}, {"id": 2, "freed_bytes": 0}]}
    answers(coordinator, "DELETE /api/v1/jobs/3/files", {"freed_bytes": 7})
    assert "its files are deleted" in run("delete", "3", "--files-only").stdout
    coordinator.fail(
        "DELETE", lambda handler: handler.refuse(409, "conflict", "Job 4 cannot be deleted: cancel it first.")
    )
    assert "cancel it first" in error_of(run("delete", "4"))


def test_keeping(run: Run, coordinator: FaultyCoordinator) -> None:
    sent = answers(coordinator, "PATCH /api/v1/jobs/1", JOB, JOB)
    assert "Job 1 is kept." in run("keep", "1").stdout
    assert "not kept any more" in run("keep", "1", "--off").stdout
    assert sent == [{"keep": True}, {"keep": False}]


def test_what_the_store_holds(run: Run, coordinator: FaultyCoordinator) -> None:
    coordinator.fail("GET /api/v1/storage?limit=10", status(200, STORAGE), status(200, STORAGE))
    told = run("storage").stdout
    for words in ("500.0 GB of 2.0 TB are free", "a sweep frees 1.0 MB", "30 days", "shot (ana, completed, kept)"):
        assert words in told
    assert json.loads(run("storage", "--json").stdout) == STORAGE


def test_sweeping(run: Run, coordinator: FaultyCoordinator) -> None:
    due = {"jobs": [{"id": 7, "name": "shot", "user": "ana", "reason": "It is old."}], "freed_bytes": 3000}
    sent = answers(coordinator, "POST /api/v1/storage/sweep", due, due)
    assert "3 kB would be freed" in run("sweep", "--dry-run").stdout
    assert "Job 7 (shot, ana): It is old." in run("sweep").stdout
    assert sent == [{"dry_run": True}, {"dry_run": False}]


def test_quotas(run: Run, coordinator: FaultyCoordinator) -> None:
    user = {"name": "ana", "max_slots": None, "slots": 0}
    sent = answers(
        coordinator, "PATCH /api/v1/users/ana", {**user, "quota_bytes": 10**9}, {**user, "quota_bytes": None}
    )
    assert "may take 1.0 GB" in run("quota", "ana", "1GB").stdout
    assert "as much as there is room for" in run("quota", "ana", "none").stdout
    assert sent == [{"quota_bytes": 10**9}, {"quota_bytes": None}]
    assert "is no size" in run("quota", "ana", "much").stderr
