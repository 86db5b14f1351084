"""The benchmarks run and print what they promise; how fast is theirs to say."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.slow


def lines_of(*command: str) -> list[dict[str, object]]:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=PROJECT, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_claims_are_measured_on_both_databases_in_one_run() -> None:
    lines = lines_of("benchmarks.bench_claims", "--seconds", "1", "--history", "200", "400")
    assert [line["database"] for line in lines] == 3 * ["sqlite"] + 3 * ["postgresql"]
    for line in lines:
        if line["benchmark"] == "claims":
            assert float(str(line["leases_per_second"])) > 0
            assert float(str(line["frames_per_second"])) > 0
        else:
            assert float(str(line["lease_cpu_growth"])) > 0
            assert float(str(line["frame_cpu_growth"])) > 0


def test_warm_and_new_blenders_are_measured_in_one_run() -> None:
    lines = lines_of("benchmarks.bench_session", "--frames", "1")
    assert [line["scene"] for line in lines] == ["light", "heavy"]
    for line in lines:
        assert float(str(line["warm_session_seconds_per_frame"])) > 0
        assert float(str(line["new_blender_seconds_per_frame"])) > 0


def test_a_farm_and_plain_blender_are_measured_in_one_run() -> None:
    lines = lines_of("benchmarks.bench_farm", "--rounds", "1", "--frames", "4", "--heavy-frames", "1")
    assert [line["scene"] for line in lines] == ["light", "heavy"]
    for line in lines:
        assert float(str(line["farm_seconds"])) > 0
        assert float(str(line["plain_seconds"])) > 0


def test_gaps_inside_leases_and_between_them_are_measured_in_one_run() -> None:
    (line,) = lines_of("benchmarks.bench_gap", "--frames", "24")
    assert float(str(line["inside_a_lease_milliseconds_median"])) > 0
    assert float(str(line["between_leases_milliseconds_median"])) > 0


def test_a_farm_is_simulated_under_every_schedule() -> None:
    lines = lines_of("benchmarks.bench_schedule", "--quick", "--scenario", "b")
    assert [line["schedule"] for line in lines] == ["ours", "chunks of 1", "chunks of 5", "chunks of 10"]
    for line in lines:
        assert float(str(line["ratio"])) >= 1


def test_orders_of_frames_are_compared() -> None:
    lines = lines_of("benchmarks.bench_order", "--seeds", "3")
    assert [line["order"] for line in lines] == [
        "as they come",
        "cheap ones last",
        "end dearest first",
        "dearest first",
    ]
    for line in lines:
        assert 1 <= float(str(line["ratio_mean"])) <= float(str(line["ratio_worst"])) < 1.1


def test_leases_over_http_are_measured_on_both_databases_with_both_histories() -> None:
    lines = lines_of("benchmarks.bench_http", "--quick")
    for database in ("sqlite", "postgresql"):
        of_database = [line for line in lines if line["database"] == database]
        assert [line["waiting_slots"] for line in of_database if "waiting_slots" in line] == [1, 50]
        measured = [line for line in of_database if "history_frames" in line]
        assert {line["history_frames"] for line in measured} == {500, 5_000}
        assert {line["request"] for line in measured} == {"lease", "release", "frame", "lease, 250 a second"}
        assert all(float(str(line["per_second"])) > 0 for line in measured)


def test_uploads_are_measured_after_edits_and_at_first() -> None:
    lines = lines_of("benchmarks.bench_upload", "--quick")
    assert [line["part"] for line in lines] == ["delta"] * 3 + ["first", "tiny"]
    for line in lines[:3]:
        assert 0 < float(str(line["sent_share"])) < 1
    assert float(str(lines[3]["speed_against_loopback_copy"])) > 0
    assert float(str(lines[4]["upload_seconds"])) > 0


def test_the_page_is_measured_with_a_long_job_and_with_many_jobs() -> None:
    job, jobs = lines_of("benchmarks.bench_page", "--frames", "1000", "--jobs", "200", "--seconds", "1")
    assert (job["view"], jobs["view"]) == ("job", "jobs")
    for line in (job, jobs):
        for name in ("first_paint_ms", "script_ms", "heap_mib", "events_per_second", "frames_per_second"):
            assert float(str(line[name])) > 0


def test_the_zip_of_a_job_is_measured_with_clients_that_stay_and_that_leave() -> None:
    files, one, three, leave = lines_of("benchmarks.bench_zip", "--frames", "60", "--kilobytes", "20")
    assert [line["part"] for line in (files, one, three, leave)] == ["files", "download", "download", "leave"]
    assert float(str(one["mb_per_second"])) > 0
    assert float(str(three["coordinator_cpu_seconds"])) > 0
