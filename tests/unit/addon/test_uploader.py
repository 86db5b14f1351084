"""A pack and its job reach the coordinator whole, or nothing is made."""

import hashlib
import json
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from io import BufferedReader
from pathlib import Path

import pytest

from addon import batches, blobs, cutting, digest_cache, retrying
from addon.buffers import Buffer
from addon.client import FarmClient
from addon.pack_plan import PackPlan
from addon.uploader import Stage, Submission
from tests.fakes.faulty_coordinator import TOKEN, Fault, FaultyCoordinator, Handler, hang_up, lose_the_answer, status

Submit = Callable[..., Submission]


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "FIRST_PAUSE", 0.001)


@pytest.fixture
def pack(tmp_path: Path) -> PackPlan:
    files = {"shot.blend": b"BLENDER" * 1000, "tex/wood.png": b"wood" * 10, "tex/copy.png": b"wood" * 10, "empty": b""}
    for place, content in files.items():
        (tmp_path / "scene" / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "scene" / place).write_bytes(content)
    return PackPlan("shot.blend", {place: str(tmp_path / "scene" / place) for place in files}, {"/lib": "tex"})


@pytest.fixture
def submit(coordinator: FaultyCoordinator, pack: PackPlan) -> Iterator[Submit]:
    """Return what makes a submission of the pack; every one must have ended at the end."""
    made: list[Submission] = []
    with FarmClient(coordinator.url, TOKEN) as client:

        def submit(**options: Path) -> Submission:
            made.append(Submission(client, pack, {"name": "shot"}, **options))
            made[-1].start()
            return made[-1]

        yield submit
    for submission in made:
        submission.cancel()
        assert submission.wait(10)


def test_the_files_arrive_and_the_job_is_made(coordinator: FaultyCoordinator, submit: Submit) -> None:
    submission = submit()
    assert submission.wait(10)
    [manifest] = coordinator.manifests
    assert manifest["main"] == "shot.blend"
    assert manifest["remap"] == {"/lib": "tex"}
    arrived = {
        file["path"]: b"".join(coordinator.blobs[blob["sha256"]] for blob in file["blobs"])
        for file in manifest["files"]
    }
    assert arrived == {
        "shot.blend": b"BLENDER" * 1000,
        "tex/wood.png": b"wood" * 10,
        "tex/copy.png": b"wood" * 10,
        "empty": b"",
    }
    assert len(coordinator.blobs) == 2, "the same bytes are sent once"
    assert submission.job == coordinator.jobs[0]
    assert submission.job is not None
    assert len(submission.job["pack"]) == 64
    assert submission.error is None
    assert submission.progress().stage is Stage.DONE


def test_large_files_are_cut(coordinator: FaultyCoordinator, submit: Submit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cutting, "SHORTEST", 1000)
    monkeypatch.setattr(cutting, "LONGEST", 3000)
    assert submit().wait(10)
    main = next(file for file in coordinator.manifests[0]["files"] if file["path"] == "shot.blend")
    assert [blob["size"] for blob in main["blobs"]] == [3000, 3000, 1000]
    assert b"".join(coordinator.blobs[blob["sha256"]] for blob in main["blobs"]) == b"BLENDER" * 1000


def test_small_blobs_travel_together_and_long_ones_in_batches_of_their_own(
    coordinator: FaultyCoordinator, submit: Submit, pack: PackPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "BATCH_BYTES", 10_000)
    monkeypatch.setattr(batches, "BATCH_BLOBS", 30)
    for number in range(100):
        place = f"tex/{number}.png"
        pack.files[place] = str(Path(pack.files["empty"]).with_name(f"{number}.png"))
        Path(pack.files[place]).write_bytes(b"%d" % number)
    assert submit().wait(10)
    assert len(coordinator.blobs) == 102
    assert sum(map(len, coordinator.batches)) == 102
    assert max(map(len, coordinator.batches)) <= 30
    assert len(coordinator.batches) <= 6


def test_what_was_read_before_is_not_read_again(
    coordinator: FaultyCoordinator, submit: Submit, pack: PackPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digest_cache, "TOO_YOUNG", 0)
    assert submit(digests=tmp_path / "digests").wait(10)
    read: list[str] = []

    def pieces(file: BufferedReader, size: int, buffer: Callable[[], Buffer]) -> Iterator[memoryview | None]:
        read.append(file.name)
        return cutting.pieces(file, size, buffer)

    monkeypatch.setattr(blobs, "pieces", pieces)
    assert submit(digests=tmp_path / "digests").wait(10)
    assert read == []
    Path(pack.files["tex/wood.png"]).write_bytes(b"oaks" * 10)
    assert submit(digests=tmp_path / "digests").wait(10)
    assert read == [pack.files["tex/wood.png"]]
    assert hashlib.sha256(b"oaks" * 10).hexdigest() in coordinator.blobs


def test_what_the_coordinator_has_is_not_sent_again(coordinator: FaultyCoordinator, submit: Submit) -> None:
    assert submit().wait(10)
    coordinator.requests.clear()
    assert submit().wait(10)
    assert coordinator.requests == [*2 * ["POST /api/v1/missing-blobs"], "POST /api/v1/packs", "POST /api/v1/jobs"]


def test_an_interrupted_submission_goes_on_where_it_stopped(coordinator: FaultyCoordinator, submit: Submit) -> None:
    coordinator.fail("POST /api/v1/jobs", *[status(500, b"")] * (retrying.RETRIES + 1))
    first = submit()
    assert first.wait(10)
    assert first.error is not None
    assert coordinator.jobs == []
    coordinator.requests.clear()
    second = submit()
    assert second.wait(10)
    assert second.job is not None
    assert coordinator.requests == [*2 * ["POST /api/v1/missing-blobs"], "POST /api/v1/packs", "POST /api/v1/jobs"]


#: A submission in a process of its own.
CLIENT = """
import sys
from addon.client import FarmClient
from addon.pack_plan import PackPlan
from addon.uploader import Submission
pack = PackPlan("a.blend", {"a.blend": sys.argv[3]})
submission = Submission(FarmClient(sys.argv[1], sys.argv[2]), pack, {"name": "x"})
submission.start()
submission.wait()
"""


def test_a_submission_that_is_killed_goes_on_where_it_was(coordinator: FaultyCoordinator, tmp_path: Path) -> None:
    blend = tmp_path / "a.blend"
    blend.write_bytes(random.Random(3).randbytes(40_000_000))  # noqa: S311 - no secret
    halfway, killed = threading.Event(), threading.Event()
    arrived = threading.Semaphore(0)

    def hold(handler: Handler) -> None:
        halfway.set()
        killed.wait(10)
        hang_up(handler)

    def arrive(handler: Handler) -> None:
        handler.carry_out()
        arrived.release()

    coordinator.fail("POST /api/v1/blobs", *[arrive] * 2, *[hold] * 100)
    client = subprocess.Popen([sys.executable, "-c", CLIENT, coordinator.url, TOKEN, str(blend)])
    for _ in range(2):
        assert arrived.acquire(timeout=20)
    assert halfway.wait(20)
    client.send_signal(signal.SIGKILL)
    client.wait()
    killed.set()
    there = dict(coordinator.blobs)
    assert len(there) >= 8
    assert all(hashlib.sha256(content).hexdigest() == sha256 for sha256, content in there.items())
    assert coordinator.jobs == []
    coordinator.mend()
    coordinator.batches.clear()
    subprocess.run([sys.executable, "-c", CLIENT, coordinator.url, TOKEN, str(blend)], check=True, timeout=60)
    assert len(coordinator.jobs) == 1
    again = {sha256 for batch in coordinator.batches for sha256 in batch}
    assert again.isdisjoint(there), "what had arrived is not sent again"
    blobs_of_file = [blob["sha256"] for file in coordinator.manifests[-1]["files"] for blob in file["blobs"]]
    assert b"".join(coordinator.blobs[sha256] for sha256 in blobs_of_file) == blend.read_bytes()


def test_where_room_may_be_scarce_nothing_is_sent_before_the_coordinator_knows_how_much_it_is(
    coordinator: FaultyCoordinator, submit: Submit
) -> None:
    narrow = status(200, {"missing": [], "fits": False})
    full = status(422, {"error": {"code": "disk_full", "message": "there is no room"}})
    coordinator.fail("POST /api/v1/missing-blobs", narrow, narrow)
    coordinator.fail("POST /api/v1/packs", full)
    refused = submit()
    assert refused.wait(10)
    assert refused.error is not None
    assert refused.error.code == "disk_full"
    assert coordinator.batches == []
    assert coordinator.requests == ["POST /api/v1/missing-blobs", "POST /api/v1/packs"]
    # There was room after all, for what was lacking.
    submission = submit()
    assert submission.wait(10)
    assert submission.job is not None
    assert len(coordinator.blobs) == 2
    assert coordinator.requests[3:5] == ["POST /api/v1/packs", "POST /api/v1/blobs"]


def test_a_coordinator_that_says_it_has_everything_gets_what_it_lacks(
    coordinator: FaultyCoordinator, submit: Submit
) -> None:
    coordinator.fail("POST /api/v1/missing-blobs", *[status(200, {"missing": ["0" * 64]})] * 10)
    submission = submit()
    assert submission.wait(10)
    assert submission.job is not None
    assert len(coordinator.blobs) == 2


def test_a_coordinator_that_forgets_again_and_again_is_given_up(coordinator: FaultyCoordinator, submit: Submit) -> None:
    coordinator.fail("POST /api/v1/missing-blobs", *[status(200, {"missing": []})] * 10)
    coordinator.fail("POST /api/v1/packs", *[status(200, {"id": "0" * 64, "missing": []})] * 10)
    coordinator.fail(
        "POST /api/v1/jobs", *[status(409, {"error": {"code": "missing_blobs", "message": "files are missing"}})] * 10
    )
    submission = submit()
    assert submission.wait(10)
    assert submission.error is not None
    assert submission.error.code == "missing_blobs"
    assert coordinator.jobs == []


def test_a_lost_answer_makes_no_second_job(coordinator: FaultyCoordinator, submit: Submit) -> None:
    coordinator.fail("POST /api/v1/jobs", lose_the_answer)
    submission = submit()
    assert submission.wait(10)
    assert submission.job is not None
    assert len(coordinator.jobs) == 1
    assert coordinator.requests.count("POST /api/v1/jobs") == 2
    assert submit().wait(10)
    assert len(coordinator.jobs) == 2, "a new submission is a new job"


@pytest.mark.parametrize("fault", [hang_up, status(503), status(507, {"error": {"code": "disk_full", "message": "x"}})])
@pytest.mark.parametrize("request_", ["POST /api/v1/packs", "POST /api/v1/blobs"])
def test_faults_that_pass_are_waited_out(
    coordinator: FaultyCoordinator, submit: Submit, request_: str, fault: Fault
) -> None:
    coordinator.fail(request_, fault, fault, fault)
    submission = submit()
    assert submission.wait(10)
    assert submission.error is None
    assert len(coordinator.jobs) == 1


def test_faults_that_do_not_pass_end_it_without_a_job(coordinator: FaultyCoordinator, submit: Submit) -> None:
    coordinator.fail("POST /api/v1/blobs", *[status(413, {"error": {"code": "too_large", "message": "too large"}})] * 4)
    submission = submit()
    assert submission.wait(10)
    assert submission.error is not None
    assert submission.error.code == "too_large"
    assert submission.progress().stage is Stage.FAILED
    assert coordinator.jobs == []


def test_a_coordinator_that_stays_away_ends_it(coordinator: FaultyCoordinator, submit: Submit) -> None:
    coordinator.fail("POST /api/v1/packs", *[status(503)] * (retrying.RETRIES + 1))
    submission = submit()
    assert submission.wait(10)
    assert submission.error is not None
    assert submission.error.code == "internal"


def test_a_job_that_may_be_there_is_not_made_again(coordinator: FaultyCoordinator, submit: Submit) -> None:
    def make_and_hang_up(handler: Handler) -> None:
        coordinator.jobs.append({"id": 1})
        hang_up(handler)

    coordinator.fail("POST /api/v1/jobs", make_and_hang_up)
    submission = submit()
    assert submission.wait(10)
    assert submission.error is not None
    assert "list of jobs" in str(submission.error)
    assert len(coordinator.jobs) == 1


def test_blobs_swept_meanwhile_are_sent_again(coordinator: FaultyCoordinator, submit: Submit) -> None:
    def sweep(handler: Handler) -> None:
        coordinator.blobs.clear()
        handler.refuse(409, "missing_blobs", "files are missing")

    coordinator.fail("POST /api/v1/jobs", sweep)
    submission = submit()
    assert submission.wait(10)
    assert submission.job is not None
    assert len(coordinator.blobs) == 2


def test_a_file_that_changes_between_reading_and_sending_is_noticed(
    coordinator: FaultyCoordinator, submit: Submit, pack: PackPlan
) -> None:
    def save_again(handler: Handler) -> None:
        Path(pack.files["shot.blend"]).write_bytes(b"BLENDED" * 1000)
        missing = [{"sha256": blob["sha256"]} for file in json.loads(handler.body)["files"] for blob in file["blobs"]]
        handler.answer(200, {"id": "0" * 64, "missing": missing})

    coordinator.fail("POST /api/v1/packs", save_again)
    submission = submit()
    assert submission.wait(10)
    assert submission.error is not None
    assert submission.error.code == "changed"
    assert "shot.blend" in str(submission.error)
    assert coordinator.jobs == []
    assert all(hashlib.sha256(content).hexdigest() == sha256 for sha256, content in coordinator.blobs.items())


def test_a_file_that_is_gone_is_named(coordinator: FaultyCoordinator, submit: Submit, pack: PackPlan) -> None:
    Path(pack.files["tex/wood.png"]).unlink()
    submission = submit()
    assert submission.wait(10)
    assert submission.error is not None
    assert "wood.png" in str(submission.error)
    assert coordinator.requests == []


def test_cancelling_in_the_middle_makes_no_job(coordinator: FaultyCoordinator, submit: Submit) -> None:
    uploading, cancelled = threading.Event(), threading.Event()

    def wait_for_cancel(handler: Handler) -> None:
        uploading.set()
        cancelled.wait(10)
        handler.answer(503, b"")

    coordinator.fail("POST /api/v1/blobs", wait_for_cancel)
    submission = submit()
    assert uploading.wait(10)
    assert submission.progress().stage is Stage.UPLOADING
    submission.cancel()
    cancelled.set()
    assert submission.wait(10)
    assert submission.job is None
    assert submission.error is None
    assert submission.progress().stage is Stage.CANCELLED
    assert coordinator.jobs == []


@pytest.mark.parametrize("faults", [[], [status(422, {"error": {"code": "invalid", "message": "no"}})]])
def test_the_temporary_folder_goes_however_it_ends(
    coordinator: FaultyCoordinator, submit: Submit, tmp_path: Path, faults: list[Fault]
) -> None:
    (tmp_path / "copies").mkdir()
    coordinator.fail("POST /api/v1/jobs", *faults)
    submission = submit(temporary=tmp_path / "copies")
    assert submission.wait(10)
    assert (submission.error is None) is (not faults)
    assert not (tmp_path / "copies").exists()


def test_progress_ends_at_all_bytes(coordinator: FaultyCoordinator, submit: Submit) -> None:
    seen: list[tuple[int, int]] = []
    submission: list[Submission] = []
    ready = threading.Event()

    def look(handler: Handler) -> None:
        ready.wait(10)
        progress = submission[0].progress()
        seen.append((progress.done_bytes, progress.total_bytes))
        handler.answer(503, b"")

    coordinator.fail("POST /api/v1/blobs", look, look)
    submission.append(submit())
    ready.set()
    assert submission[0].wait(10)
    # What a failed attempt had sent does not count twice.
    assert all(7000 <= done <= total == 7080 for done, total in seen)
    assert len(seen) == 2
