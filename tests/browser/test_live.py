"""How the page stays up to date: one stream for all tabs, taken up again, polling without one."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Site, open_site
from tests.browser.people import call
from tests.e2e.farm import ADMIN_TOKEN, Farm, wait_until

# Together on one worker: conftest.py says why.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]


def streams(site: Site) -> int:
    """Return how many streams of events the coordinator has open."""
    metrics = call(f"{site.farm.url}/metrics", "GET", ADMIN_TOKEN).decode()
    found = re.search(r"^renderfarm_event_streams (\d+)$", metrics, re.MULTILINE)
    assert found is not None
    return int(found[1])


@pytest.fixture
def lone_site(browser: Browser, farm: Farm) -> Iterator[Site]:
    """Open the page in a browser without shared workers, where each tab is on its own."""
    with open_site(browser, farm) as site:
        site.page.add_init_script("delete globalThis.SharedWorker")
        yield site
        site.tidy_up()


def test_all_tabs_share_one_stream(fresh_site: Site) -> None:
    site = fresh_site
    site.sign_in()
    expect(site.page.get_by_text("Live", exact=True)).to_be_visible()
    others: list[Page] = []
    for _ in range(2):
        other = site.page.context.new_page()
        other.goto(f"{site.farm.url}/")
        expect(other.get_by_text("Live", exact=True)).to_be_visible()
        others.append(other)
    assert streams(site) == 1
    site.artist.submit("For everyone")
    for page in (site.page, *others):
        expect(page.get_by_role("link", name="For everyone")).to_be_visible()
    # The tab that came first goes, and the others have their stream still.
    site.page.close()
    site.artist.submit("Still here")
    expect(others[0].get_by_role("link", name="Still here")).to_be_visible()
    others[0].get_by_role("button", name="Sign out").click()
    expect(others[1].get_by_label("Admin token")).to_be_visible()
    wait_until(lambda: streams(site) == 0 or None, "the stream was closed")


def test_the_stream_is_taken_up_when_the_coordinator_is_back(fresh_site: Site) -> None:
    site, page = fresh_site, fresh_site.page
    site.expected += [r"ERR_CONNECTION", r"ERR_INCOMPLETE_CHUNKED", r"ERR_EMPTY_RESPONSE", r"ERR_SOCKET"]
    site.sign_in()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    site.farm.stop()
    banner = page.get_by_text("The coordinator does not answer.")
    expect(banner).to_be_visible()
    site.farm.start_coordinator()
    expect(banner).to_be_hidden()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    site.artist.submit("After the storm")
    expect(page.get_by_role("link", name="After the storm")).to_be_visible()
    assert streams(site) == 1


def test_without_a_stream_the_page_polls(lone_site: Site) -> None:
    site, page = lone_site, lone_site.page
    site.expected.append(r"ERR_FAILED|MIME type|status of 403")
    page.route("**/api/v1/events*", lambda route: route.abort())
    site.sign_in()
    expect(page.get_by_text("Updated every few seconds")).to_be_visible()
    site.artist.submit("Slow but sure")
    expect(page.get_by_role("link", name="Slow but sure")).to_be_visible()


def test_a_lone_tab_in_the_background_lets_go_of_its_stream_and_takes_it_up(lone_site: Site) -> None:
    site, page = lone_site, lone_site.page
    site.sign_in()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    open_before = streams(site)
    set_hidden(site, hidden=True)
    wait_until(lambda: streams(site) < open_before or None, "the stream was closed")
    site.artist.submit("Meanwhile")
    with page.expect_request(re.compile(r"/api/v1/events\?since=")):
        set_hidden(site, hidden=False)
    expect(page.get_by_role("link", name="Meanwhile")).to_be_visible()


def set_hidden(site: Site, hidden: bool) -> None:
    """Have the page believe that its tab is in the background, or in front again."""
    site.page.evaluate(
        """hidden => {
            Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )
