"""The page's pure modules, run in the browser that will run them."""

import json
from typing import Any

import pytest

from coordinator.domain.frame_range import parse
from coordinator.domain.searching import search_text
from tests.browser.conftest import Site

# Together on one worker: conftest.py says why.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]


def run(site: Site, module: str, expression: str) -> Any:
    """Import a module of the page as ``m`` and return the value of an expression."""
    if site.page.url == "about:blank":
        site.page.goto(site.farm.url)
    return site.page.evaluate(f"async () => {{ const m = await import('/{module}'); return {expression}; }}")


def test_numbers_and_times_in_words(site: Site) -> None:
    cases = {
        "m.percent(0.9999)": "99 %",
        "m.percent(1)": "100 %",
        "m.percent(0.29)": "29 %",
        "m.duration(42.4)": "42 s",
        "m.duration(200)": "3 min 20 s",
        "m.duration(3600)": "1 h 00 min",
        "m.duration(100_000)": "1 d 3 h",
        "m.renderTime(0.52)": "0.5 s",
        "m.energy(300)": "0.083 Wh",
        "m.energy(5_400_000)": "1.5 kWh",
        "m.energy(120_000_000)": "33 kWh",
        "m.estimate(3)": "a few seconds",
        "m.estimate(42)": "about 45 s",
        "m.estimate(200)": "about 3 min",
        "m.estimate(3580)": "about 1 h 00 min",
        "m.estimateRange(100, 260)": "2–4 min",
        "m.estimateRange(400, 5400)": "7 min–1.5 h",
        "m.estimateRange(21_600, 45_700)": "6–13 h",
        "m.estimateRange(7200, 90_000)": "2 h 00 min–1 d",
        "m.ago('2026-01-01T00:00:00Z', Date.parse('2026-01-01T00:05:30Z'))": "5 minutes ago",
        "m.ago('2026-01-01T00:00:03Z', Date.parse('2026-01-01T00:00:00Z'))": "just now",
        "m.bytes(999)": "999 bytes",
        "m.bytes(64 * 1024 ** 3)": "64 GiB",
        "m.bytes(1536)": "1.5 KiB",
        "m.plural(1, 'frame', 'frames')": "1 frame",
        "m.plural(12345, 'frame', 'frames')": "12,345 frames",
    }
    answers = run(site, "format.js", f"[{', '.join(cases)}]")
    assert dict(zip(cases, answers, strict=True)) == cases


def test_frame_ranges_are_read_as_the_coordinator_writes_them(site: Site) -> None:
    for text in ("1-4", "7", "-5--3", "1, 3, 5-6", "1-10:3", "1-10x4,20", "10-1:-3", "-20--10:5,0-2"):
        frames = parse(text)
        assert run(site, "frame_range.js", f"[...m.parseFrameRange('{frames}')]") == list(frames), text


def test_names_are_sorted_as_the_coordinator_sorts_them(site: Site) -> None:
    names = ["Zoo", "Äther", "äpfel", "Ares", "zoo 2", "Straße", "strasse", "Strasse 9", "ΣΟΦΟΣ", "σοφος ω", "Ørsted"]
    names += [
        "a_b",
        "a-b",
        "a b",
        " A  b ",
        "Éclair",
        "éclair 10",
        "e\u0301clair 2",
        "ﬁn",
        "fim",
        "Ёлка",
        "елка 1",
        "日本",
        "🎬 1",
    ]
    jobs = [{"id": place, "name": name, "user": "ana"} for place, name in enumerate(names)]
    sorted_here = sorted(jobs, key=lambda job: (search_text(str(job["name"]), "ana", ""), job["id"]))
    answer = run(site, "job_order.js", f"{json.dumps(jobs)}.sort(m.comparator('name')).map((job) => job.id)")
    assert answer == [job["id"] for job in sorted_here]


def test_routes(site: Site) -> None:
    cases = {
        "": ("jobs", None),
        "#/": ("jobs", None),
        "#/jobs?show=active": ("jobs", None),
        "#/jobs/42": ("job", 42),
        "#/jobs/42/history": ("job", 42),
        "#/jobs/42/frames/-3": ("job", 42),
        "#/agents": ("agents", None),
        "#/jobs/forty": ("missing", None),
        "#/jobs/1/frames/": ("missing", None),
    }
    for route, expected in cases.items():
        found = run(site, "router.js", f"m.parseRoute('{route}')")
        assert (found["view"], found.get("id")) == expected, route
