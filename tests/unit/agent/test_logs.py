"""The agent's logs do not grow without end, and cost the agent nothing when they cannot be written."""

import asyncio
import logging
from pathlib import Path

import pytest

from agent import logs
from agent.logs import fresh_log, kept_log

log = logging.getLogger("agent.test")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_own_log_is_turned_over_and_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "OWN_LOG_BYTES", 1000)
    async with kept_log(tmp_path):
        for frame in range(300):
            log.warning("Frame %s was rendered.", frame)
    assert await asyncio.to_thread(names, tmp_path) == ["agent.log", "agent.log.1", "agent.log.2", "agent.log.3"]
    assert await asyncio.to_thread(lambda: max(path.stat().st_size for path in tmp_path.iterdir())) <= 1000
    assert "WARNING Frame 299 was rendered." in await asyncio.to_thread((tmp_path / "agent.log").read_text)
    log.warning("After the end.")
    assert "After" not in await asyncio.to_thread((tmp_path / "agent.log").read_text)


async def test_next_start_goes_on_in_the_same_log(tmp_path: Path) -> None:
    for words in ("one", "two"):
        async with kept_log(tmp_path):
            log.warning(words)
    lines = (await asyncio.to_thread((tmp_path / "agent.log").read_text)).splitlines()
    assert [line.split()[-1] for line in lines] == ["one", "two"]


async def test_log_that_cannot_be_written_is_done_without(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    async with kept_log(tmp_path / "nowhere"):
        log.warning("Nobody reads this.")
    assert "Traceback" not in capfd.readouterr().err


def test_logs_of_earlier_sessions_are_kept_and_bounded(tmp_path: Path) -> None:
    for session in range(7):
        fresh_log(tmp_path, "slot-0").write_text(str(session))
    fresh_log(tmp_path, "slot-1").write_text("other")
    kept = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert kept == {
        "slot-0.log": "6",
        "slot-0.1.log": "5",
        "slot-0.2.log": "4",
        "slot-0.3.log": "3",
        "slot-1.log": "other",
    }
