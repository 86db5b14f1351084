"""A Blender is let in on the page: its code is typed there, and the token that it made is good."""

import hashlib
from typing import Any

import pytest
from playwright.sync_api import expect

from addon.client import FarmClient
from tests.browser.conftest import PHONE, Site
from tests.browser.test_page import assert_fits
from tests.e2e.farm import ADMIN_TOKEN

# Together on one worker: conftest.py says why.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]


def ask(site: Site, token: str) -> Any:
    """Have a Blender ask to be let in; return the request with its code."""
    with FarmClient(site.farm.url, "") as client:
        return client.ask_to_connect("ana on atelier", hashlib.sha256(token.encode()).hexdigest())


def test_a_blender_is_let_in_by_the_code_it_shows(site: Site) -> None:
    page = site.page
    site.expected.append("status of 4")
    made = ask(site, "rf_admin_" + "c" * 43)
    site.sign_in(f"#/connect/{made['id']}")
    expect(page.get_by_role("heading", name="Connect Blender?")).to_be_visible()
    expect(page.locator(".connect")).to_contain_text("ana on atelier")
    page.set_viewport_size(PHONE)
    assert_fits(site)
    code = page.get_by_label("The code that Blender shows")
    code.fill("AAAA-AAAA")
    page.get_by_role("button", name="Let it in").click()
    expect(page.get_by_role("alert").filter(has_text="not the code that Blender shows")).to_be_visible()
    code.fill(made["code"].lower())
    page.get_by_label("Its jobs belong to").fill("ana")
    page.get_by_role("button", name="Let it in").click()
    expect(page.get_by_role("heading", name="Connected")).to_be_visible()
    assert "ana" in [token["name"] for token in site.artist.api("GET", "tokens")["items"]]
    # Whoever opens the page once more is told.
    page.reload()
    expect(page.get_by_role("heading", name="Connected")).to_be_visible()


def test_a_blender_that_nobody_knows_is_refused(site: Site) -> None:
    page = site.page
    site.expected.append("status of 4")
    made = ask(site, "rf_admin_" + "d" * 43)
    # Who is not signed in signs in first, and is where they were going then.
    page.goto(f"{site.farm.url}/#/connect/{made['id']}")
    page.get_by_label("Admin token").fill(ADMIN_TOKEN)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Refuse").click()
    expect(page.get_by_role("heading", name="Not connected")).to_be_visible()
    site.go("#/connect/999")
    expect(page.get_by_role("heading", name="This could not be loaded")).to_be_visible()


def test_the_add_on_is_offered(site: Site) -> None:
    site.sign_in()
    with site.page.expect_download() as download:
        site.page.get_by_role("link", name="Get the Blender add-on").click()
    assert download.value.suggested_filename.startswith("renderfarm-")
