"""A farm as it is on a working day, for the picture of the list of jobs that README shows::

    python -m docs.shots FOLDER && python -m docs.busy_farm FOLDER

Its coordinator is real, its agents deliver the pictures of FOLDER instead of rendering.
"""

import argparse
import sqlite3
import tempfile
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

from coordinator.protocol import GpuLoad, Telemetry
from docs.take_screenshots import CHROMIUM, IMAGES, SCALE, save
from tests.browser.people import Artist, PretendAgent
from tests.e2e.farm import ADMIN_TOKEN, JOIN_TOKEN, Farm, running_farm

WINDOW: ViewportSize = {"width": 1360, "height": 900}
GIB = 1024**3
MINUTE_US = 60 * 1_000_000


@dataclass(frozen=True)
class Shot:
    """A job, and how far it is when the picture is taken."""

    name: str
    artist: str
    picture: str
    frames: int
    done: int
    seconds: float
    """For each frame."""
    minutes: int
    """Since it was submitted."""
    priority: int = 50
    warnings: tuple[str, ...] = ()
    agents: int = 0
    """How many agents work on it now."""
    end: str | None = None
    """What a person does to it when it is so far: ``pause`` or ``cancel``."""


SHOTS = (
    Shot("Pine hills, wide", "Jonas", "hills", 240, 240, 31.0, 212),
    Shot("Title rings v06", "Aiko", "rings", 36, 14, 12.0, 171, end="cancel"),
    Shot("Portrait, brass", "Mira", "head", 60, 60, 22.0, 118),
    Shot("Night market sh010", "Mira", "city", 250, 161, 48.0, 96, priority=80, agents=3),
    Shot("Marbles, slow motion", "Jonas", "marbles", 480, 74, 65.0, 71, warnings=("No steps.wav",), agents=2),
    Shot("Pine hills, close", "Jonas", "hills", 180, 52, 28.0, 54, end="pause"),
    Shot("Title rings v07", "Aiko", "rings", 36, 0, 12.0, 9),
    Shot("Night market sh020", "Mira", "city", 310, 0, 48.0, 4, priority=40),
)  # fmt: skip

AGENTS = {
    "attic": "RTX 4090",
    "desk-mira": "RTX 4080",
    "desk-jonas": "RTX 3090",
    "rack-1": "RTX A6000",
    "rack-2": "RTX A6000",
}


def fill(farm: Farm, pictures: Path) -> list[PretendAgent]:
    """Have the jobs submitted, rendered so far and set back in time; return the agents, each at its frame."""
    artists = {name: Artist(farm.url, _token(farm, name)) for name in sorted({shot.artist for shot in SHOTS})}
    agents = [PretendAgent(farm.url, JOIN_TOKEN, name, gpu=gpu) for name, gpu in AGENTS.items()]
    for agent in agents:
        agent.register()
    ids = {shot: _render(shot, artists[shot.artist], agents[0], pictures) for shot in SHOTS}
    for shot, job in ids.items():
        if shot.end is None and shot.done < shot.frames:
            artists[shot.artist].api("POST", f"jobs/{job}/resume")
    for agent in agents[: sum(shot.agents for shot in SHOTS)]:
        agent.take_work()
    farm.stop()
    with sqlite3.connect(farm.database.removeprefix("sqlite:///")) as database:
        for shot, job in ids.items():
            ago, took = shot.minutes * MINUTE_US, shot.done * shot.seconds / len(agents) * 1_000_000
            database.execute(
                "UPDATE jobs SET created_at = created_at - ?, started_at = started_at - ?, ended_at = ended_at - ?"
                " WHERE id = ?",
                (ago, ago - MINUTE_US, ago - MINUTE_US - took, job),
            )
    farm.start_coordinator()
    return agents


def _token(farm: Farm, artist: str) -> str:
    made: dict[str, str] = Artist(farm.url, ADMIN_TOKEN).api("POST", "tokens", {"kind": "admin", "name": artist})
    return made["token"]


def _render(shot: Shot, artist: Artist, agent: PretendAgent, pictures: Path) -> int:
    """Submit a job and deliver its first frames; what is left of it waits."""
    with Image.open(pictures / f"{shot.picture}-1.png") as opened:
        image = opened.convert("RGB")
    job = artist.submit(
        shot.name,
        frames=f"1-{shot.frames}",
        priority=shot.priority,
        warnings=list(shot.warnings),
        video=False,
        output={"format": "PNG", "width": image.width, "height": image.height, "fps": 24.0},
        max_slots=shot.agents or None,
    )
    left = shot.done
    while left > 0:
        for frame in agent.take_work().frames[:left]:
            agent.finish(frame, image=image, seconds=shot.seconds)
            left -= 1
    if shot.done < shot.frames:
        artist.api("POST", f"jobs/{job}/{shot.end or 'pause'}")
    agent.grant = None
    return job


def report(agents: list[PretendAgent]) -> None:
    """Have the agents say how far they are, and how their machines are."""
    for place, agent in enumerate(agents):
        if agent.grant is not None:
            load = GpuLoad(
                name=agent.gpu,
                utilization=0.97 - place * 0.02,
                celsius=61.0 + 4 * place,
                watts=310.0,
                memory_used_bytes=(5 + place) * GIB,
                memory_bytes=24 * GIB,
            )
            telemetry = Telemetry(gpus=[load], cpu_utilization=0.2, disk_free_bytes=(210 + 40 * place) * GIB)
            agent.report(agent.grant.frames[-1], 0.15 + 0.17 * place, telemetry)


def show(browser: Browser, farm: Farm) -> Page:
    """Return the farm's page, signed in."""
    page = browser.new_page(viewport=WINDOW, device_scale_factor=SCALE, color_scheme="dark", locale="en-GB")
    page.goto(f"{farm.url}/#token={ADMIN_TOKEN}")
    expect(page.locator(".job-name")).to_have_count(len(SHOTS))
    return page


def main() -> None:
    """Take the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pictures", type=Path, help="the folder with what docs.shots rendered")
    parser.add_argument("--folder", type=Path, default=IMAGES, help="where the picture goes (docs/images)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, running_farm(Path(folder)) as farm, sync_playwright() as playwright:
        agents = fill(farm, arguments.pictures)
        report(agents)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        save(show(browser, farm), arguments.folder / "jobs.png")
        browser.close()


if __name__ == "__main__":
    main()
