"""A coordinator and a browser for the tests, and a page for each of them."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, ViewportSize, expect, sync_playwright

from tests.browser.people import Artist, PretendAgent
from tests.e2e.farm import ADMIN_TOKEN, JOIN_TOKEN, Farm, running_farm

CHROMIUM = "/usr/bin/chromium"
DESKTOP: ViewportSize = {"width": 1360, "height": 860}
PHONE: ViewportSize = {"width": 375, "height": 740}

#: How long the page may take to show what is expected, in milliseconds.
PATIENCE_MS = 30_000


@dataclass
class Site:
    """The page of a running farm, and whoever uses that farm."""

    farm: Farm
    page: Page
    artist: Artist
    agents: list[PretendAgent] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    """What the browser said in its console that was not expected."""
    expected: list[str] = field(default_factory=lambda: [r"status of 401"])
    """Patterns of complaints that belong to the test; asking who one is before signing in is answered 401."""

    def agent(self, name: str = "studio-01") -> PretendAgent:
        """Return an agent that has joined; it leaves when the test ends."""
        agent = PretendAgent(self.farm.url, JOIN_TOKEN, name)
        agent.register()
        self.agents.append(agent)
        return agent

    def tidy_up(self) -> None:
        """Leave no work and no agent to the next test."""
        for job in self.artist.api("GET", "jobs?state=blocked,queued,running,paused&limit=200")["items"]:
            self.artist.api("POST", f"jobs/{job['id']}/cancel")
        for agent in self.agents:
            agent.leave()

    def sign_in(self, route: str = "#/jobs") -> None:
        """Sign in by the form and go to a route."""
        self.page.goto(f"{self.farm.url}/")
        self.page.get_by_label("Admin token").fill(ADMIN_TOKEN)
        self.page.get_by_role("button", name="Sign in").click()
        expect(self.page.get_by_role("heading", name="Jobs", exact=True)).to_be_visible()
        self.go(route)

    def go(self, route: str) -> None:
        """Go to another part of the page, as a link would."""
        self.page.evaluate("route => { location.hash = route; }", route)

    def listen(self, message: ConsoleMessage) -> None:
        """Take note of what the browser's console shows in red or yellow."""
        if message.type in ("error", "warning"):
            self.complain(message.text)

    def complain(self, text: str) -> None:
        """Take note of a complaint unless it is expected."""
        if not any(re.search(pattern, text) for pattern in self.expected):
            self.complaints.append(text)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Start the system's Chromium.

    While it runs, Playwright keeps an event loop running in this thread, in which no other test could run its own: so
    it ends with the last of these tests, and no others may come between them.
    """
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    """Run a coordinator that the tests share."""
    with running_farm(tmp_path_factory.mktemp("farm")) as farm:
        yield farm


@pytest.fixture
def site(browser: Browser, farm: Farm) -> Iterator[Site]:
    """Open the page of a farm on which nothing runs."""
    with open_site(browser, farm) as site:
        yield site
        site.tidy_up()


@pytest.fixture
def fresh_site(browser: Browser, tmp_path: Path) -> Iterator[Site]:
    """Open the page of a farm that was never used."""
    with running_farm(tmp_path) as farm, open_site(browser, farm) as site:
        yield site


@contextmanager
def open_site(browser: Browser, farm: Farm) -> Iterator[Site]:
    """Open the farm's page; at the end nothing may have gone wrong in the browser."""
    context = browser.new_context(viewport=DESKTOP, locale="en-GB", timezone_id="Europe/Amsterdam")
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    site = Site(farm, page, Artist(farm.url, ADMIN_TOKEN))
    page.on("console", site.listen)
    page.on("pageerror", lambda error: site.complain(str(error)))
    yield site
    context.close()
    assert site.complaints == []
