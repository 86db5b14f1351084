"""Blenders are let in over HTTP: they ask, a person types the code, and the token that they made is good."""

import asyncio
import hashlib
import queue
from datetime import timedelta
from typing import Any

import pytest

from addon.client import FarmClient
from addon.connecting import Connecting
from coordinator.domain.connecting import MOST_WRONG_CODES, TERM
from coordinator.domain.join_codes import ALPHABET
from tests.integration.coordinator import JOIN, RunningCoordinator

TOKEN = "rf_admin_" + "t" * 43
DIGEST = hashlib.sha256(TOKEN.encode()).hexdigest()


async def ask(farm: RunningCoordinator, token: str = TOKEN, name: str = "ana on atelier") -> Any:
    digest = hashlib.sha256(token.encode()).hexdigest()
    body = {"name": name, "token_sha256": digest}
    return await farm.ask("POST", "connect-requests", status=201, json=body, token=None)


async def state(farm: RunningCoordinator) -> str:
    answer = await farm.ask("GET", f"connect-requests/by-token/{DIGEST}", token=None)
    assert answer.keys() == {"state"}
    return str(answer["state"])


def wrong(code: str) -> str:
    """Another code of the same kind."""
    return ALPHABET[ALPHABET.index(code[0]) - 1] + code[1:]


async def test_a_token_is_good_once_a_person_has_approved_it(small_farm: RunningCoordinator) -> None:
    made = await ask(small_farm)
    assert made.keys() == {"id", "code", "expires_at"}
    await small_farm.refused("GET", "jobs", 401, "token_wrong", token=TOKEN)
    assert await state(small_farm) == "waiting"
    shown = await small_farm.ask("GET", f"connect-requests/{made['id']}")
    assert (shown["name"], shown["state"]) == ("ana on atelier", "waiting")
    assert made["code"] not in str(shown)
    typed = {"code": made["code"].lower().replace("-", " "), "name": "ana"}
    approved = await small_farm.ask("POST", f"connect-requests/{made['id']}/approve", json=typed)
    assert approved["state"] == "approved"
    assert await state(small_farm) == "approved"
    assert (await small_farm.ask("GET", "session", token=TOKEN))["name"] == "ana"
    # It is one of the farm's tokens now, and can be made void like any other.
    (token,) = [token for token in (await small_farm.ask("GET", "tokens"))["items"] if token["name"] == "ana"]
    await small_farm.ask("DELETE", f"tokens/{token['id']}", status=204)
    await small_farm.refused("GET", "jobs", 401, "token_wrong", token=TOKEN)
    # Approved once is approved: neither again, nor for another request.
    await small_farm.refused("POST", f"connect-requests/{made['id']}/approve", 409, "conflict", json=typed)
    body = {"name": "eve", "token_sha256": DIGEST}
    await small_farm.refused("POST", "connect-requests", 422, "invalid", json=body, token=None)


async def test_only_a_person_who_is_signed_in_approves(small_farm: RunningCoordinator) -> None:
    made = await ask(small_farm)
    path = f"connect-requests/{made['id']}"
    for method, address, body in (("GET", path, {}), ("POST", f"{path}/approve", {"json": {"code": made["code"]}})):
        await small_farm.refused(method, address, 401, "token_missing", token=None, **body)
        await small_farm.refused(method, address, 403, "forbidden", token=JOIN, **body)
    signed_in = await small_farm.call("POST", "api/v1/session", token=None, json={"token": "rf_admin_0123456789abcdef"})
    cookie = {"Cookie": signed_in.headers["Set-Cookie"].partition(";")[0]}
    # Another site can have the browser send the cookie, but not the header.
    code = {"code": made["code"]}
    await small_farm.refused("POST", f"{path}/approve", 403, "forbidden", token=None, headers=cookie, json=code)
    await small_farm.ask("POST", f"{path}/approve", token=None, headers=cookie | {"X-Renderfarm": "1"}, json=code)
    assert await state(small_farm) == "approved"


async def test_a_request_is_refused_by_a_person_and_after_too_many_wrong_codes(small_farm: RunningCoordinator) -> None:
    made = await ask(small_farm)
    path = f"connect-requests/{made['id']}"
    for number in range(MOST_WRONG_CODES):
        assert await state(small_farm) == "waiting", number
        typed = {"code": wrong(made["code"])}
        error = await small_farm.refused("POST", f"{path}/approve", 422, "invalid", json=typed)
        assert "not the code that Blender shows" in error["message"]
    assert await state(small_farm) == "refused"
    await small_farm.refused("POST", f"{path}/approve", 409, "conflict", json={"code": made["code"]})
    other = await ask(small_farm, TOKEN + "2")
    await small_farm.ask("POST", f"connect-requests/{other['id']}/refuse")
    await small_farm.refused("POST", f"connect-requests/{other['id']}/refuse", 409, "conflict")


async def test_a_request_lasts_for_minutes_and_few_are_made_at_a_time(small_farm: RunningCoordinator) -> None:
    made = await ask(small_farm)
    await small_farm.refused("GET", "connect-requests/999", 404, "not_found")
    unknown = "0" * 64
    await small_farm.refused("GET", f"connect-requests/by-token/{unknown}", 404, "not_found", token=None)
    for number in range(9):
        await ask(small_farm, f"{TOKEN}{number}")
    body = {"name": "eve", "token_sha256": "1" * 64}
    await small_farm.refused("POST", "connect-requests", 429, "too_many_requests", json=body, token=None)
    now = small_farm.clock()
    await small_farm.stop()
    small_farm.clock = lambda: now + TERM + timedelta(seconds=1)
    await small_farm.start()
    assert await state(small_farm) == "expired"
    await small_farm.refused(
        "POST", f"connect-requests/{made['id']}/approve", 409, "conflict", json={"code": made["code"]}
    )


async def test_the_add_on_is_let_in(small_farm: RunningCoordinator, monkeypatch: pytest.MonkeyPatch) -> None:
    answers: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    ask_to_connect = FarmClient.ask_to_connect

    def asked(client: FarmClient, name: str, token_sha256: str) -> dict[str, Any]:
        answer = ask_to_connect(client, name, token_sha256)
        answers.put(answer)
        return answer

    monkeypatch.setattr(FarmClient, "ask_to_connect", asked)
    monkeypatch.setattr("addon.connecting.ASK_SECONDS", 0.02)

    async def connect(action: str) -> Connecting:
        connecting = Connecting(small_farm.url, "ana on atelier")
        connecting.start()
        made = await asyncio.to_thread(answers.get, True, 10)
        body: dict[str, Any] = {"json": {"code": made["code"]}} if action == "approve" else {}
        await small_farm.ask("POST", f"connect-requests/{made['id']}/{action}", **body)
        assert await asyncio.to_thread(connecting.wait, 10)
        return connecting

    let_in = await connect("approve")
    assert let_in.approved
    assert let_in.progress().page.startswith(f"{small_farm.url}#/connect/")
    with FarmClient(let_in.farm.address, let_in.farm.token) as client:
        assert (await asyncio.to_thread(client.session))["name"] == "ana on atelier"
    refused = await connect("refuse")
    assert not refused.approved
    assert "refused" in refused.progress().message
