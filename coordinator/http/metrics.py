"""Numbers for Prometheus, in its text format."""

from collections.abc import Iterable, Mapping
from typing import Any

from aiohttp import web

from coordinator.keys import DATABASE, LIVE, VERSION, WORK
from coordinator.services import views


async def show(request: web.Request) -> web.Response:
    """Show the farm's numbers for Prometheus."""
    work = request.app[WORK]
    counts = await request.app[DATABASE].read(views.counts)
    happened = request.app[DATABASE].happened
    lines = [
        *_metric("renderfarm_info", "gauge", "The software.", [({"version": request.app[VERSION]}, 1)]),
        *_metric("renderfarm_jobs", "gauge", "Jobs by state.", _by("state", counts.jobs)),
        *_metric("renderfarm_agents", "gauge", "Agents by state.", _by("state", counts.agents)),
        *_metric("renderfarm_pending_frames", "gauge", "Frames that wait for an agent.", [({}, counts.pending_frames)]),
        *_metric("renderfarm_live_leases", "gauge", "Chunks that agents work on.", [({}, counts.live_leases)]),
        *_metric("renderfarm_waiting_slots", "gauge", "Slots that wait for work.", [({}, work.waiting)]),
        *_metric("renderfarm_leases_total", "counter", "Requests answered with a lease.", [({}, work.granted)]),
        *_metric(
            "renderfarm_tails_taken_over_total",
            "counter",
            "Leases of frames that another slot held and would have been late with.",
            [({}, happened["tail_taken_over"])],
        ),
        *_metric(
            "renderfarm_frames_hedged_total",
            "counter",
            "Leases of frames that took long and were given to a second slot as well.",
            [({}, happened["frame_hedged"])],
        ),
        *_metric("renderfarm_event_streams", "gauge", "Streams of live events.", [({}, request.app[LIVE].clients)]),
    ]
    return web.Response(text="\n".join(lines) + "\n", content_type="text/plain", charset="utf-8")


def _by(label: str, counts: Mapping[Any, int]) -> list[tuple[dict[str, str], int]]:
    return [({label: str(name)}, count) for name, count in sorted(counts.items())]


def _metric(name: str, kind: str, about: str, values: Iterable[tuple[dict[str, str], int]]) -> list[str]:
    lines = [f"# HELP {name} {about}", f"# TYPE {name} {kind}"]
    for labels, value in values:
        text = ",".join(f'{label}="{_escape(content)}"' for label, content in labels.items())
        lines.append(f"{name}{{{text}}} {value}" if text else f"{name} {value}")
    return lines


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
