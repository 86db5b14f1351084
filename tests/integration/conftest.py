"""A coordinator over real HTTP, on every database in turn; its invariants are checked when a test is over."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conformance.conftest import database_url, postgres, postgres_template, sqlite_template
from tests.integration.coordinator import RunningCoordinator

__all__ = ["database_url", "postgres", "postgres_template", "sqlite_template"]


@pytest.fixture
async def farm(database_url: str, tmp_path: Path) -> AsyncIterator[RunningCoordinator]:
    """A running coordinator on each database in turn."""
    async with RunningCoordinator(tmp_path / "data", database_url) as running:
        yield running


@pytest.fixture
async def small_farm(sqlite_template: Path, tmp_path: Path) -> AsyncIterator[RunningCoordinator]:
    """A running coordinator on SQLite, for what has nothing to do with the database."""
    path = tmp_path / "small.db"
    await asyncio.to_thread(lambda: path.write_bytes(sqlite_template.read_bytes()))
    async with RunningCoordinator(tmp_path / "data", f"sqlite:///{path}") as running:
        yield running
