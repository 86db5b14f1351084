"""No route but health, signing in and the page answers without a token, and none with a token of the wrong kind."""

import asyncio
import re
from typing import Any

import pytest

from coordinator.db.engine import Transaction
from coordinator.domain.tokens import TokenKind
from coordinator.http.auth import PUBLIC
from coordinator.http.routes import ROUTES, Route
from coordinator.keys import KNOWN_CALLERS
from coordinator.services import accounts
from coordinator.services.accounts import Principal
from tests.integration.coordinator import ADMIN, JOIN, RunningCoordinator

PARTS = {
    "sha256": "0" * 64,
    "lease_id": "0" * 16,
    "claim": "0" * 16,
    "job_id": "1",
    "request_id": "1",
    "agent_id": "1",
    "name": "ana",
    "frame": "1",
    "token_id": "1",
    "code_id": "1",
    "file_path": "mask.png",
    "path": "",
}

PROTECTED = [route for route in ROUTES if route.access != PUBLIC]


def address(route: Route) -> str:
    """Return an address that the route takes."""
    return re.sub(r"\{(\w+):[^{}]*(?:\{[^{}]*\}[^{}]*)*\}", lambda part: PARTS[part[1]], route.path).lstrip("/")


def test_what_is_open_is_on_purpose() -> None:
    opened = {(route.method, route.path) for route in ROUTES if route.access == PUBLIC}
    assert {(method, path.partition("{")[0]) for method, path in opened} == {
        ("GET", "/api/v1/health"),
        ("POST", "/api/v1/session"),
        # A Blender without a token asks to be let in, and hears whether it was.
        ("POST", "/api/v1/connect-requests"),
        ("GET", "/api/v1/connect-requests/by-token/"),
        # What it installs before that is in the public repository of the project as well.
        ("GET", "/extension/"),
        ("GET", "/extension/index.json"),
        ("GET", "/"),
    }


async def test_nothing_answers_without_a_token(small_farm: RunningCoordinator) -> None:
    for route in PROTECTED:
        response = await small_farm.call(route.method, address(route), token=None)
        assert response.status == 401, route
        assert response.headers["WWW-Authenticate"] == "Bearer"


async def test_nothing_answers_with_a_wrong_token(small_farm: RunningCoordinator) -> None:
    # Fewer than what makes the coordinator stop listening.
    for route in PROTECTED[:15]:
        response = await small_farm.call(route.method, address(route), token="rf_admin_of_another_farm")
        assert response.status == 401, route


async def test_tokens_of_the_wrong_kind_are_forbidden(small_farm: RunningCoordinator) -> None:
    agent = await small_farm.agent()
    tokens = {TokenKind.ADMIN: ADMIN, TokenKind.JOIN: JOIN, TokenKind.AGENT: agent.token}
    tried = 0
    for route in PROTECTED:
        for kind, token in tokens.items():
            if kind not in route.access:
                response = await small_farm.call(route.method, address(route), token=token)
                assert response.status == 403, (route, kind)
                tried += 1
    assert tried > 2 * len(PROTECTED) - 5


async def test_which_token_is_missing_or_wrong_is_said(small_farm: RunningCoordinator) -> None:
    error = await small_farm.refused("GET", "jobs", 401, "token_missing", token=None)
    assert "rf_admin_" in error["message"]
    error = await small_farm.refused("GET", "jobs", 403, "forbidden", token=JOIN)
    assert "join token" in error["message"]
    await small_farm.refused("GET", "jobs", 401, "token_wrong", token="no-token-at-all")


async def test_one_wrong_token_after_the_other_is_slowed_down(small_farm: RunningCoordinator) -> None:
    for number in range(20):
        await small_farm.refused("GET", "jobs", 401, "token_wrong", token=f"rf_admin_guess{number}")
    response = await small_farm.call("GET", "api/v1/jobs", token="rf_admin_guess")
    assert response.status == 429
    assert 1 <= int(response.headers["Retry-After"]) <= 60
    await small_farm.refused("POST", "session", 429, "too_many_requests", token=None, json={"token": "rf_admin_x"})
    # Even a right guess is not looked at; the body tells nothing.
    await small_farm.refused("GET", "jobs", 429, "too_many_requests", token=ADMIN)


async def test_a_token_that_was_good_stays_good_from_a_bad_address(small_farm: RunningCoordinator) -> None:
    await small_farm.ask("GET", "jobs")
    for number in range(25):
        await small_farm.call("GET", "api/v1/jobs", token=f"rf_admin_guess{number}")
    await small_farm.ask("GET", "jobs")


async def test_a_revoked_token_is_wrong_at_once(small_farm: RunningCoordinator) -> None:
    made = await small_farm.ask("POST", "tokens", status=201, json={"kind": "admin", "name": "script"})
    assert made["token"].startswith("rf_admin_")
    await small_farm.ask("GET", "jobs", token=made["token"])
    listed = await small_farm.ask("GET", "tokens")
    assert "script" in [token["name"] for token in listed["items"]]
    assert all("token" not in token for token in listed["items"])
    await small_farm.ask("DELETE", f"tokens/{made['id']}", status=204)
    await small_farm.refused("GET", "jobs", 401, "token_wrong", token=made["token"])


async def test_a_token_is_looked_up_once_in_a_while(
    small_farm: RunningCoordinator, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    real = accounts.authenticate

    def authenticate(tx: Transaction, plain: str) -> Principal:
        asked.append(plain)
        return real(tx, plain)

    monkeypatch.setattr(accounts, "authenticate", authenticate)
    # So long that a busy machine makes no difference.
    small_farm.app[KNOWN_CALLERS]._seconds = 1000.0
    for _ in range(5):
        await small_farm.ask("GET", "jobs")
    assert asked == [ADMIN]
    for _ in range(2):
        await small_farm.refused("GET", "jobs", 401, "token_wrong", token="rf_admin_guess")
    assert asked == [ADMIN, "rf_admin_guess", "rf_admin_guess"], "a wrong token is never remembered"


async def test_an_agent_whose_name_was_taken_over_is_out_at_once(small_farm: RunningCoordinator) -> None:
    old = await small_farm.agent("ant")
    assert (await old.call("POST", "leave")).status == 204
    new = await small_farm.agent("ant")
    assert (await old.call("POST", "leave")).code == "token_wrong"
    assert (await new.call("POST", "leave")).status == 204


async def test_a_token_that_is_no_text_is_wrong(small_farm: RunningCoordinator) -> None:
    host, port = small_farm.runner.addresses[0][:2]
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(b"GET /api/v1/jobs HTTP/1.1\r\nHost: farm\r\nAuthorization: Bearer rf_admin_\xff\r\n\r\n")
    assert b" 401 " in await reader.readline()
    writer.close()
    await writer.wait_closed()


async def test_an_unknown_address_is_a_sentence(small_farm: RunningCoordinator) -> None:
    await small_farm.refused("GET", "nothing", 404, "not_found")
    await small_farm.refused("DELETE", "jobs", 405, "method_not_allowed")
    await small_farm.refused("GET", "jobs/999", 404, "not_found")
    await small_farm.refused("GET", f"jobs/{10**18}", 404, "not_found")


@pytest.mark.parametrize("path", ["", "index.html", "app.js"])
async def test_the_page_needs_no_token_and_runs_only_its_own_scripts(small_farm: RunningCoordinator, path: str) -> None:
    response = await small_farm.call("GET", path, token=None)
    assert response.status == 200
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cache-Control"] == "no-cache"
    again = await small_farm.call("GET", path, token=None, headers={"If-None-Match": response.headers["ETag"]})
    assert again.status == 304


@pytest.mark.parametrize(
    "path",
    [
        "..",
        "../pyproject.toml",
        "%2e%2e/pyproject.toml",
        "..%2fpyproject.toml",
        "views/",
        "views",
        ".git/config",
        "__init__.py",
        "a\\b.js",
        "a" * 300 + ".js",
    ],
)
async def test_nothing_but_the_page_is_served(small_farm: RunningCoordinator, path: str) -> None:
    assert (await small_farm.call("GET", path, token=None)).status == 404


async def test_a_browser_signs_in_and_out(small_farm: RunningCoordinator) -> None:
    await small_farm.refused("POST", "session", 401, "token_wrong", token=None, json={"token": "rf_admin_wrong"})
    await small_farm.refused("POST", "session", 403, "forbidden", token=None, json={"token": JOIN})
    response = await small_farm.call("POST", "api/v1/session", token=None, json={"token": ADMIN})
    assert response.status == 200
    cookie = response.cookies["renderfarm_session"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Strict"
    assert cookie.value.startswith("rf_session_")

    sent = {"Cookie": f"renderfarm_session={cookie.value}"}
    browser: dict[str, Any] = {"token": None, "headers": sent}
    assert (await small_farm.ask("GET", "session", **browser))["kind"] == "session"
    await small_farm.ask("GET", "jobs", **browser)
    # What another site can make the browser send is refused, before anything is done.
    await small_farm.refused("POST", "tokens", 403, "forbidden", json={"kind": "admin", "name": "evil"}, **browser)
    assert "evil" not in str(await small_farm.ask("GET", "tokens"))
    ours: dict[str, Any] = {"token": None, "headers": sent | {"X-Renderfarm": "1"}}
    await small_farm.ask("POST", "tokens", status=201, json={"kind": "join", "name": "page"}, **ours)
    await small_farm.ask("DELETE", "session", status=204, **ours)
    error = await small_farm.refused("GET", "jobs", 401, "token_wrong", **browser)
    assert "sign in again" in error["message"]


async def test_a_form_of_another_site_is_no_request(small_farm: RunningCoordinator) -> None:
    await small_farm.refused("POST", "session", 400, "bad_request", token=None, data={"token": ADMIN})
    await small_farm.refused(
        "POST", "session", 400, "bad_request", token=None, data="{}", headers={"Content-Type": "text/plain"}
    )


async def test_head_answers_as_get_does_without_a_body(small_farm: RunningCoordinator) -> None:
    assert (await small_farm.call("HEAD", "api/v1/jobs", token=None)).status == 401
    for path in ("", "api/v1/health", "api/v1/jobs"):
        head = await small_farm.call("HEAD", path)
        assert (head.status, head.data) == (200, b"")
        assert int(head.headers["Content-Length"]) > 0


async def test_the_api_describes_itself(small_farm: RunningCoordinator) -> None:
    response = await small_farm.call("GET", "api/openapi.json")
    document = response.json
    assert document["openapi"] == "3.1.0"
    described = {(method.upper(), path) for path, calls in document["paths"].items() for method in calls}
    named = re.compile(r"\{(\w+):[^{}]*(?:\{[^{}]*\}[^{}]*)*\}")
    served = {(r.method, named.sub(r"{\1}", r.path)) for r in ROUTES if r.path.startswith("/api/v1/")}
    assert described == served
    text = response.data.decode()
    for reference in re.findall(r'"#/components/schemas/([^"]+)"', text):
        assert reference in document["components"]["schemas"]


async def test_metrics(farm: RunningCoordinator) -> None:
    await farm.submit("1-7")
    text = (await farm.call("GET", "metrics")).data.decode()
    assert 'renderfarm_jobs{state="queued"} 1' in text
    assert "renderfarm_pending_frames 7" in text
    assert "renderfarm_leases_total 0" in text
    agent = await farm.agent()
    await agent.must_lease()
    text = (await farm.call("GET", "metrics")).data.decode()
    assert "renderfarm_leases_total 1" in text
    assert "renderfarm_tails_taken_over_total 0" in text
    assert "renderfarm_frames_hedged_total 0" in text
