"""Whatever is swept when: nothing goes that is needed, and nothing stays that is not.

Random histories over a real database and a real store.  Clients announce packs, upload and submit; agents deliver;
people cancel, keep and delete; between any two steps of theirs the sweeper takes any of its own, or goes down in one.
"""

import asyncio
import hashlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import delete, select

from coordinator.background.sweeper import Sweeper
from coordinator.db import schema
from coordinator.db import sweeping as sweeping_rows
from coordinator.db.engine import Database, Transaction, open_database
from coordinator.db.references import REFERRING
from coordinator.domain.lifetime import Lifetime
from coordinator.protocol import BlobRef, ErrorCode, FrameResult, LeaseGrant, Manifest, ManifestFile
from coordinator.services import assets, frames, retention, storage, submit, sweeping
from coordinator.services.errors import Refused
from coordinator.services.schemas import JobRequest
from coordinator.store import LocalBlobStore
from tests.conformance.farm import HEIGHT, WIDTH, Farm, SetClock, stored
from tests.conformance.invariants import check_invariants

T = TypeVar("T")

GRACE = Lifetime(grace_seconds=3600.0, keep_seconds=7200.0)
#: Three bytes each, as the files of tests have.
SCENES = ["s01", "s02", "s03", "s04"]
PICTURES = ["p01", "p02", "p03", "s01"]
PACKS = [SCENES[:2], SCENES[1:3], [*SCENES[2:], "p01"]]
USERS = ["ana", "ben"]
PICK = st.integers(0, 1000)
PICKS = st.lists(st.integers(0, 26), max_size=4)

EXAMPLES = {
    ("fast", "sqlite"): 12,
    ("fast", "postgresql"): 6,
    ("thorough", "sqlite"): 80,
    ("thorough", "postgresql"): 30,
}


class WentDown(Exception):
    """The coordinator ends here."""


def pack_of(texts: list[str]) -> Manifest:
    blobs = [BlobRef(sha256=stored(text).sha256, size=3) for text in texts]
    return Manifest(main="scene.blend", files=[ManifestFile(path="scene.blend", size=3 * len(texts), blobs=blobs)])


TEXTS = {stored(text).sha256: text for text in {*SCENES, *PICTURES}}


async def pieces(text: str) -> AsyncIterator[bytes]:
    yield text.encode()


def empty(tx: Transaction) -> None:
    for table in reversed(schema.metadata.sorted_tables):
        tx.conn.execute(delete(table))


class Sweeps(RuleBasedStateMachine):
    runner: ClassVar[asyncio.Runner]
    database: ClassVar[Database]
    clock: ClassVar[SetClock]
    request: ClassVar[JobRequest]

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.store = LocalBlobStore(self.folder, reserve_bytes=0)
        self.farm = Farm(self.database, self.clock)
        self.run(self.database.write(empty))
        self.database.board.invalidate()
        self.agent = self.run(self.farm.agent())
        # Packs that were announced and led to no job yet.
        self.clients: list[tuple[str, datetime]] = []

    def teardown(self) -> None:
        try:
            self.everything_else_goes()
        finally:
            self.run(self.store.close())
            shutil.rmtree(self.folder)

    def run(self, call: Awaitable[T]) -> T:
        async def awaited() -> T:
            return await call

        return self.runner.get_loop().run_until_complete(awaited())

    def write(self, function: Any, *args: Any) -> Any:
        self.clock.advance(0.001)
        return self.run(self.database.write(function, *args))

    def tried(self, function: Any, *args: Any) -> Any:
        try:
            return self.write(function, *args)
        except Refused as refused:
            return refused.code

    def read(self, function: Any, *args: Any) -> Any:
        return self.run(self.database.read(function, *args))

    @property
    def jobs(self) -> list[Any]:
        query = select(schema.jobs).order_by(schema.jobs.c.id)
        return list(self.read(lambda tx: tx.conn.execute(query).all()))

    def a_job(self, pick: int) -> int:
        jobs = self.jobs
        return int(jobs[pick % len(jobs)].id) if jobs else 1

    @property
    def on_disk(self) -> set[str]:
        return {path.name for path in (self.folder / "blobs").glob("*/*")}

    # What the sweeper does

    @rule(picks=PICKS)
    def sweep(self, picks: list[int]) -> None:
        """Take some of the sweeper's steps, in any order."""
        steps = (
            self.retire,
            self.remove_rows,
            self.remove_rows,
            self.drop_packs,
            self.look,
            self.remove_blobs,
            self.remove_blobs,
            self.go_down,
            self.adopt,
        )
        for pick in picks:
            if pick % 3 == 0:
                self.clock.advance(61)
            steps[pick // 3 % len(steps)]()

    def retire(self) -> None:
        self.write(retention.note_counts, self.read(retention.count_some))
        for due in self.read(retention.due, GRACE)[:1]:
            self.write(retention.sweep, due)

    def remove_rows(self) -> None:
        self.write(sweeping.remove_rows, GRACE)

    def drop_packs(self) -> None:
        for pack_id in self.read(sweeping.idle_packs, GRACE):
            self.write(sweeping.drop_pack, pack_id, GRACE)

    def look(self) -> None:
        _, useless = self.read(sweeping.page, "", GRACE)
        self.write(sweeping.condemn_unused, useless, GRACE)

    def remove_blobs(self) -> None:
        self.write(sweeping.remove_blobs, self.store.remove, GRACE)

    def go_down(self) -> None:
        """The bytes are gone, and the transaction is not committed."""

        def amid(tx: Transaction) -> None:
            sweeping.remove_blobs(tx, self.store.remove, GRACE)
            tx.flush()
            raise WentDown

        with pytest.raises(WentDown):
            self.write(amid)

    def adopt(self) -> None:
        """Also of files that were put just now: whoever records them saves them."""
        found = [(name, 3) for name in sorted(self.on_disk)]
        self.write(sweeping.adopt, self.read(sweeping.unknown, found))
        self.run(self.store.sweep(3600))

    # What clients do

    @rule(pick=PICK, between=PICKS, announced=PICKS)
    def submit(self, pick: int, between: list[int], announced: list[int]) -> None:
        """A client announces a pack, uploads what it is told to, and submits: what it was told is believed."""
        pack = assets.check_pack(pack_of(PACKS[pick % len(PACKS)]))
        self.write(assets.register_pack, pack)
        self.sweep(announced[:2])
        missing = [blob.sha256 for blob in self.read(assets.missing_blobs, pack.id).missing]
        for sha256 in missing[: 3 - pick // 4 % 4]:
            self.put(sha256, between)
        self.sweep(announced)
        if pick % 5 == 0:
            # Others come first; the upload goes on later, or never.
            self.clients.append((pack.id, self.clock.now))
            return
        request = msgspec.structs.replace(self.request, pack=pack.id, frames=("1-2", "5")[pick % 2])
        job = self.tried(submit.submit, request, USERS[pick % len(USERS)])
        if job == ErrorCode.MISSING_BLOBS:
            assert len(missing) > 3 - pick // 4 % 4, "what the client was told to be there is gone"
        else:
            assert not isinstance(job, ErrorCode)

    @rule(pick=PICK)
    def submit_late(self, pick: int) -> None:
        """A client that was away comes back: it is told to begin anew, or its job is whole."""
        if self.clients:
            pack_id, _ = self.clients.pop(pick % len(self.clients))
            request = msgspec.structs.replace(self.request, pack=pack_id, frames="7")
            told = self.tried(submit.submit, request, USERS[pick % len(USERS)])
            assert told in (ErrorCode.NOT_FOUND, ErrorCode.MISSING_BLOBS) or not isinstance(told, ErrorCode)

    def put(self, sha256: str, between: list[int]) -> None:
        """Upload a blob as the coordinator takes it, with the sweeper between."""
        while True:
            self.run(self.store.put(sha256, 3, pieces(TEXTS[sha256])))
            self.sweep(between)
            if self.tried(assets.record_blobs, [(sha256, 3)], self.store.holds) != ErrorCode.TRY_AGAIN:
                return
            between = between[1:]

    # What agents do

    @rule(pick=PICK, other=PICK, between=PICKS)
    def render(self, pick: int, other: int, between: list[int]) -> None:
        grant = self.run(self.farm.lease(self.agent))
        if grant is None:
            return
        for frame in grant.frames:
            self.deliver(grant, frame, pick + frame, other, between)

    def deliver(self, grant: LeaseGrant, frame: int, pick: int, other: int, between: list[int]) -> None:
        files = [stored(PICTURES[number % len(PICTURES)]) for number in (pick, other)]
        result = FrameResult(output=files[0], preview=files[1], seconds=1.0, blender=(4, 5, 15))
        call = (self.agent, grant.lease_id, frame, result, WIDTH, HEIGHT, self.farm.timing)
        for _ in range(5):
            for file in files:
                self.put(file.sha256, between[:1])
            self.sweep(between[1:])
            outcome = self.tried(frames.record_frame, *call)
            if outcome != ErrorCode.MISSING_BLOBS:
                assert not isinstance(outcome, ErrorCode) or outcome == ErrorCode.LEASE_LOST
                return
            between = between[2:]
        raise AssertionError("what an agent uploads is removed time and again")

    # What people and time do

    @rule(pick=PICK, how=st.sampled_from(["files", "record"]), between=PICKS)
    def remove(self, pick: int, how: str, between: list[int]) -> None:
        """A person removes a job, which is cancelled if it has to be."""
        job = self.a_job(pick)
        self.people(self.farm.cancel(job))
        self.tried(storage.delete_files if how == "files" else storage.delete_job, job, "ana")
        self.sweep(between)

    @rule(pick=PICK, keep=st.booleans())
    def keep(self, pick: int, keep: bool) -> None:
        self.people(self.farm.adjust(self.a_job(pick), keep=keep))

    @rule(pick=PICK, between=PICKS)
    def again(self, pick: int, between: list[int]) -> None:
        """A person has a job rendered again, or some of its frames."""
        job = self.a_job(pick)
        self.people(self.farm.requeue(job, "1") if pick % 2 else self.farm.rerender(job))
        self.sweep(between)

    def people(self, call: Awaitable[Any]) -> None:
        self.clock.advance(0.001)
        with suppress(Refused):
            self.run(call)

    @rule(pick=PICK)
    def time_passes(self, pick: int) -> None:
        self.clock.advance((10, 61, 600, 4000, 8000)[pick % 5])
        self.run(self.farm.reap())

    # What is always true

    @invariant()
    def what_is_needed_is_there(self) -> None:
        self.read(lambda tx: check_invariants(tx.conn))
        rows = {row.sha256: row for row in self.read(lambda tx: tx.conn.execute(select(schema.blobs)).all())}
        on_disk = self.on_disk
        for name in on_disk:
            content = (self.folder / "blobs" / name[:2] / name).read_bytes()
            assert hashlib.sha256(content).hexdigest() == name, "a blob is broken"
        counted_on = {name for name, row in rows.items() if row.condemned_at is None}
        assert counted_on <= on_disk, "a row has no file"
        for column in REFERRING:
            if column.table is schema.pack_blobs:
                continue
            for name in self.read(lambda tx, column=column: set(tx.conn.scalars(select(column)))) - {None}:
                assert name in counted_on, f"{column} names a blob that is gone"
        needed = select(schema.pack_blobs.c.sha256).where(
            schema.pack_blobs.c.pack_id.in_(select(schema.jobs.c.pack_id).where(schema.jobs.c.files_swept_at.is_(None)))
        )
        assert self.read(lambda tx: set(tx.conn.scalars(needed))) <= counted_on, "a job's pack is not whole"

    def everything_else_goes(self) -> None:
        """In the end the sweeper leaves what jobs need, and nothing else."""
        sweeper = Sweeper(self.database, self.store, Lifetime(grace_seconds=3600.0))
        for _ in range(3):
            self.clock.advance(100 * 3600)
            sweeper._everything_at = 0.0
            self.run(sweeper.run_once())
        self.adopt()
        self.clock.advance(3600)
        self.run(sweeper.run_once())
        self.what_is_needed_is_there()
        referred: set[str] = set()
        for column in REFERRING:
            referred |= self.read(lambda tx, column=column: set(tx.conn.scalars(select(column)))) - {None}
        on_disk = self.on_disk
        rows = self.read(lambda tx: set(tx.conn.scalars(select(schema.blobs.c.sha256))))
        assert on_disk == rows == referred
        assert self.read(lambda tx: sweeping_rows.removing(tx.conn)) is None
        packs = self.read(lambda tx: set(tx.conn.scalars(select(schema.pack_blobs.c.pack_id))))
        assert packs == {job.pack_id for job in self.jobs if job.files_swept_at is None}


@pytest.mark.timeout(600)
def test_sweeping_between_all_else(database_url: str) -> None:
    clock = SetClock()
    with asyncio.Runner() as runner:
        database = open_database(database_url, clock)
        try:
            request = runner.run(Farm(database, clock).request())
            fixed = {"runner": runner, "database": database, "clock": clock, "request": request}
            over_this = type("Sweeps", (Sweeps,), fixed)
            examples = EXAMPLES[settings.get_current_profile_name(), database.kind]
            run_state_machine_as_test(over_this, settings=settings(max_examples=examples, stateful_step_count=25))
        finally:
            runner.run(database.close())
