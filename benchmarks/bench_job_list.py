"""How long a page of the list of jobs takes at a farm with a long history, whatever is asked for.

A database of each kind is filled with 100,000 jobs of many users, names and states.  Every filter that the page offers
is combined with every order, and of each combination the first page is asked for, the one in the middle of the history
and one near its end, a few times.  Prints a JSON line for each database: the median and the slowest page, each the
quickest of its times, for others may use the machine.
"""

import argparse
import asyncio
import itertools
import json
import random
import statistics
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from sqlalchemy import bindparam, create_engine, select, text, update
from sqlalchemy.engine import make_url

from benchmarks.history import write_histories
from coordinator.app import utc_now
from coordinator.db.engine import Database, Transaction, open_database
from coordinator.db.schema import jobs, users
from coordinator.domain.model import Job, JobState
from coordinator.domain.searching import search_text, search_words
from coordinator.services import job_list
from coordinator.services.job_list import JobFilter, JobOrder
from tests.conformance.postgres import running_server

JOBS = 100_000
PAGE = 50
REPEATS = 3
USERS = 40
ACTIVE = ("blocked", "queued", "running", "paused", "stitching")
PLACES = ("harbour", "forest", "attic", "lighthouse", "station", "desert")


def fill(url: str, count: int) -> None:
    """Give each of the jobs in a database a name, a user and an end of its own."""
    parts = make_url(url)
    engine = create_engine(
        parts.set(
            drivername={"sqlite": "sqlite+pysqlite", "postgresql": "postgresql+psycopg"}[parts.get_backend_name()]
        )
    )
    chance = random.Random(7)
    now = utc_now()
    rows = []
    for number in range(1, count + 1):
        user = f"artist-{chance.randrange(USERS):02}"
        name = f"{chance.choice(PLACES)} shot {chance.randrange(1000):03} v{chance.randrange(20):02}"
        state = "completed" if chance.random() < 0.9 else chance.choice(["failed", "cancelled"])
        at = now - timedelta(minutes=5 * (count - number))
        rows.append(
            {
                "of_id": number,
                "name": name,
                "created_by": user,
                "search": search_text(name, user, f"{name.partition(' ')[0]}.blend"),
                "priority": chance.choice([10, 50, 50, 50, 90]),
                "created_at": at,
                "ended_at": at + timedelta(minutes=chance.randrange(600)),
                "state": JobState(state) if state != "failed" else JobState.FAILED,
                "reason": "it broke" if state == "failed" else None,
            }
        )
    change = update(jobs).where(jobs.c.id == bindparam("of_id"))
    with engine.begin() as conn:
        for number in range(USERS):
            conn.execute(users.insert().values(name=f"artist-{number:02}", vtime=0.0, scripts=False))
        conn.execute(change.values({name: bindparam(name) for name in rows[0] if name != "of_id"}), rows)
    if parts.get_backend_name() == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
            conn.execute(text("VACUUM ANALYZE"))
    engine.dispose()


def filters() -> dict[str, JobFilter]:
    """Return what is asked for, by what it is called in the output."""
    states = {
        "any": (),
        "active": tuple(map(JobState, ACTIVE)),
        "failed": (JobState.FAILED,),
        "ended": (JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED),
    }
    texts = {"": "", "common": "shot", "rare": "lighthouse 777 v07", "absent": "zebra crossing"}
    names = {"": None, "one": "artist-07", "nobody": "zoe"}
    since = {"": None, "month": utc_now() - timedelta(days=30)}
    return {
        " ".join(
            filter(
                None,
                (state, f"user={user}" if user else "", f"q={words}" if words else "", f"since={age}" if age else ""),
            )
        ): JobFilter(states=states[state], user=names[user], words=search_words(texts[words]), since=since[age])
        for state, user, words, age in itertools.product(states, names, texts, since)
    }


#: Pages, by how much of the history (jobs of any kind) lies before them.
PLACES_OF_PAGES = {"first": None, "middle": 0.5, "late": 0.95}


async def cursors(database: Database, order: JobOrder, count: int) -> dict[str, str | None]:
    """Return the cursor of each page that is asked for."""

    def behind(tx: Transaction, share: float) -> str:
        ordered = jobs.c.ended_at if order == JobOrder.ENDED else jobs.c.id
        at = {JobOrder.PRIORITY: jobs.c.priority, JobOrder.NAME: jobs.c.search}.get(order, ordered)
        ascending = order in (JobOrder.OLDEST, JobOrder.NAME)
        keys = [key.asc() if ascending else key.desc() for key in (at, jobs.c.id)]
        place = select(jobs).order_by(*keys).where(at.is_not(None)).offset(int(share * count) - 1).limit(1)
        return job_list.cursor_behind(Job(**tx.conn.execute(place).mappings().one()), order)

    return {
        name: None if share is None else await database.read(behind, share) for name, share in PLACES_OF_PAGES.items()
    }


async def measure(kind: str, database: Database, count: int) -> dict[str, object]:
    """Ask for every combination, and return what that took."""
    took: dict[str, float] = {}
    pages = {order: await cursors(database, order, count) for order in JobOrder}
    for (named, wanted), order in itertools.product(filters().items(), JobOrder):
        for page, cursor in pages[order].items():
            times = []
            for _ in range(REPEATS):
                begun = time.perf_counter()
                await database.read(job_list.list_jobs, wanted, PAGE, cursor, order)
                times.append(time.perf_counter() - begun)
            took[f"{named} sort={order} page={page}"] = min(times)
    slowest = max(took, key=took.__getitem__)
    return {
        "benchmark": "job_list",
        "database": kind,
        "jobs": count,
        "pages": len(took),
        "median_ms": round(statistics.median(took.values()) * 1000, 1),
        "p95_ms": round(statistics.quantiles(took.values(), n=20)[18] * 1000, 1),
        "slowest_ms": round(took[slowest] * 1000, 1),
        "slowest": slowest,
    }


async def run(count: int) -> None:
    """Measure both databases."""
    with tempfile.TemporaryDirectory() as folder, running_server() as server:
        urls = {"sqlite": f"sqlite:///{Path(folder) / 'farm.db'}", "postgresql": server.url(server.create())}
        await write_histories(dict.fromkeys(urls.values(), count), frames_per_job=1)
        for kind, url in urls.items():
            await asyncio.to_thread(fill, url, count)
            database = open_database(url, utc_now)
            try:
                await database.write(lambda _: None)
                print(json.dumps(await measure(kind, database, count)), flush=True)
            finally:
                await database.close()


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=JOBS)
    asyncio.run(run(parser.parse_args().jobs))


if __name__ == "__main__":
    main()
