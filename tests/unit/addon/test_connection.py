"""Which addresses and tokens are taken, and when Blender may use the network."""

import pytest

from addon.client import FarmError
from addon.connection import OFFLINE, connect

TOKEN = "rf_admin_x"  # noqa: S105 - opens nothing


@pytest.mark.parametrize(
    ("entered", "address"),
    [
        ("http://farm:8420", "http://farm:8420"),
        (" http://farm:8420/ ", "http://farm:8420"),
        ("farm:8420", "http://farm:8420"),
        ("https://farm.example/render", "https://farm.example/render"),
    ],
)
def test_an_address_is_taken_as_people_write_it(entered: str, address: str) -> None:
    assert connect(entered, f" {TOKEN} ", online_access=True).address == address


def test_the_token_is_taken_without_the_blanks_around_it() -> None:
    assert connect("farm:8420", f" {TOKEN}\n", online_access=True).token == TOKEN


@pytest.mark.parametrize("address", ["", "   ", "ftp://farm", "http://", "http://farm:99999999"])
def test_what_is_no_address_is_refused_with_an_example(address: str) -> None:
    with pytest.raises(FarmError, match=r"http://192\.168\.1\.10:8420") as refusal:
        connect(address, TOKEN, online_access=True)
    assert refusal.value.code == "bad_address"


@pytest.mark.parametrize(
    ("token", "sentence"),
    [
        ("", "token is missing"),
        ("rf_join_x", "join token, which is for agents"),
        ("rf_agent_x", "agent's own token"),
        ("rf_session_x", "browser's token"),
    ],
)
def test_a_token_of_another_kind_is_named(token: str, sentence: str) -> None:
    with pytest.raises(FarmError, match=sentence) as refusal:
        connect("farm:8420", token, online_access=True)
    assert "rf_admin_" in str(refusal.value)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8", "[::1]"])
def test_this_machine_needs_no_online_access(host: str) -> None:
    assert connect(f"http://{host}:8420", TOKEN, online_access=False).host == f"{host}:8420"


@pytest.mark.parametrize("host", ["192.168.1.10", "farm.local", "localhost.example.com", "127.0.0.1.example.com"])
def test_any_other_machine_does(host: str) -> None:
    with pytest.raises(FarmError, match="Turn on Allow Online Access") as refusal:
        connect(f"http://{host}:8420", TOKEN, online_access=False)
    assert refusal.value.code == OFFLINE
    assert connect(f"http://{host}:8420", TOKEN, online_access=True)


def test_blender_started_offline_cannot_be_told_to_go_online() -> None:
    with pytest.raises(FarmError, match="Start Blender without --offline-mode"):
        connect("http://farm:8420", TOKEN, online_access=False, offline_for_good=True)


def test_a_jobs_page_is_one_of_the_web_page() -> None:
    assert connect("farm:8420", TOKEN, online_access=True).job_page(7) == "http://farm:8420/#/jobs/7"
