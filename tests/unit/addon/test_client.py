"""Calls to the coordinator, and what their failures are called."""

import hashlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from addon import transport
from addon.client import FarmClient, FarmError
from tests.fakes.faulty_coordinator import TOKEN, Fault, FaultyCoordinator, cut_short, hang_up, status


@contextmanager
def refused(code: str, *words: str) -> Iterator[None]:
    with pytest.raises(FarmError) as caught:
        yield
    assert caught.value.code == code
    for word in words:
        assert word in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@contextmanager
def listening() -> Iterator[tuple[str, socket.socket]]:
    """A port where someone listens who is no coordinator."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}", server


def test_a_good_address_and_token(coordinator: FaultyCoordinator) -> None:
    with FarmClient(coordinator.url + "/", f" {TOKEN}\n") as client:
        assert client.check()["version"] == "0"
    with FarmClient(coordinator.url.removeprefix("http://"), TOKEN) as client:
        assert client.base_url == coordinator.url


@pytest.mark.parametrize("address", ["ftp://farm", "http://", "http://[::1", "http://farm:99999", "farm:port"])
def test_addresses_that_are_none(address: str) -> None:
    with refused("bad_address", "http://192.168.1.10:8420"):
        FarmClient(address, TOKEN)


def test_nobody_there() -> None:
    with listening() as (url, _server):
        pass
    with FarmClient(url, TOKEN) as client, refused("unreachable", url, "renderfarm coordinator"):
        client.check()


def test_no_such_computer() -> None:
    with FarmClient("http://nowhere.invalid", TOKEN) as client, refused("unreachable", "“nowhere.invalid”"):
        client.check()


def test_a_wrong_token(coordinator: FaultyCoordinator) -> None:
    with FarmClient(coordinator.url, "rf_admin_other") as client, refused("token_wrong", "renderfarm token create"):
        client.check()


@pytest.mark.parametrize(
    "fault",
    [
        status(200, b"<html>a router</html>"),
        status(200, {"hello": "world"}),
        status(200, b"[]"),
        status(404, b"not here"),
        status(302, b""),
    ],
)
def test_others_than_a_coordinator(coordinator: FaultyCoordinator, fault: Fault) -> None:
    coordinator.fail("GET /api/v1/health", fault)
    with FarmClient(coordinator.url, TOKEN) as client, refused("not_a_coordinator", coordinator.url):
        client.check()


def test_a_service_that_does_not_speak_http() -> None:
    with listening() as (url, server):

        def talk() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

        thread = threading.Thread(target=talk)
        thread.start()
        with FarmClient(url, TOKEN) as client, refused("not_a_coordinator"):
            client.check()
        thread.join()


def test_one_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "READ_TIMEOUT", 0.05)
    with listening() as (url, _), FarmClient(url, TOKEN) as client, refused("timeout", "does not answer"):
        client.check()


def test_https_where_there_is_none(coordinator: FaultyCoordinator) -> None:
    url = coordinator.url.replace("http:", "https:")
    with FarmClient(url, TOKEN) as client, refused("tls", "http://"):
        client.check()


@pytest.mark.parametrize("fault", [hang_up, cut_short])
def test_broken_connections_pass(coordinator: FaultyCoordinator, fault: Fault) -> None:
    coordinator.fail("GET /api/v1/health", fault)
    with FarmClient(coordinator.url, TOKEN) as client:
        with pytest.raises(FarmError) as caught:
            client.check()
        assert (caught.value.code, caught.value.passing) == ("interrupted", True)
        client.check()


def test_faults_of_the_coordinator_pass(coordinator: FaultyCoordinator) -> None:
    coordinator.fail("GET /api/v1/health", status(500), status(503))
    with FarmClient(coordinator.url, TOKEN) as client:
        for _ in range(2):
            with refused("internal", "HTTP 50"):
                client.check()
        client.check()


def test_a_connection_that_the_other_side_closed_meanwhile_is_opened_anew(coordinator: FaultyCoordinator) -> None:
    with FarmClient(coordinator.url, TOKEN) as client:
        client.check()
        coordinator.fail("GET /api/v1/health", hang_up)
        client.check()


def test_a_job_is_never_asked_for_twice(coordinator: FaultyCoordinator) -> None:
    with FarmClient(coordinator.url, TOKEN) as client:
        client.check()
        coordinator.fail("POST /api/v1/jobs", hang_up)
        with refused("interrupted"):
            client.create_job({})
    assert coordinator.requests.count("POST /api/v1/jobs") == 1


def test_refusals_keep_their_code_and_become_a_sentence(coordinator: FaultyCoordinator) -> None:
    coordinator.fail(
        "POST", lambda handler: handler.refuse(422, "invalid", "a field is wrong", frames="runs backwards")
    )
    with FarmClient(coordinator.url, TOKEN) as client, pytest.raises(FarmError) as caught:
        client.create_job({})
    assert str(caught.value) == "A field is wrong."
    assert caught.value.fields == {"frames": "runs backwards"}
    assert not caught.value.passing


def test_lists_are_read_to_their_end(coordinator: FaultyCoordinator) -> None:
    first, second = (
        {"frame": number, "state": "failed", "reason": "crashed", "filename": None, "sha256": None} for number in (1, 2)
    )
    coordinator.fail(
        "GET /api/v1/jobs/7/frames",
        status(200, {"items": [first], "next": "a&b"}),
        status(200, {"items": [second], "next": None}),
    )
    with FarmClient(coordinator.url, TOKEN) as client:
        assert list(client.frames(7)) == [first, second]
    assert coordinator.requests[-1] == "GET /api/v1/jobs/7/frames?limit=1000&cursor=a%26b"


@pytest.mark.parametrize("answer", [{"items": [{"id": 1}], "next": None}, {"items": 3, "next": None}, {"jobs": []}])
def test_lists_of_something_else_are_refused(coordinator: FaultyCoordinator, answer: dict[str, object]) -> None:
    coordinator.fail("GET /api/v1/jobs", status(200, answer))
    with FarmClient(coordinator.url, TOKEN) as client, refused("not_a_coordinator"):
        client.jobs()


def test_a_download_is_whole(coordinator: FaultyCoordinator, tmp_path: Path) -> None:
    picture = b"picture" * 100_000
    coordinator.files["jobs/7/frames/1/output"] = picture
    with FarmClient(coordinator.url, TOKEN) as client:
        client.download_output(7, 1, tmp_path / "0001.png", sha256=hashlib.sha256(picture).hexdigest())
    assert (tmp_path / "0001.png").read_bytes() == picture
    assert [path.name for path in tmp_path.iterdir()] == ["0001.png"]


@pytest.mark.parametrize(
    ("fault", "code"),
    [(cut_short, "interrupted"), (status(200, b"other bytes"), "digest_mismatch"), (status(404), "not_a_coordinator")],
)
def test_a_download_that_fails_leaves_what_was_there(
    coordinator: FaultyCoordinator, tmp_path: Path, fault: Fault, code: str
) -> None:
    target = tmp_path / "0001.png"
    target.write_bytes(b"older")
    coordinator.fail("GET /api/v1/jobs/7", fault)
    with FarmClient(coordinator.url, TOKEN) as client:
        with refused(code):
            client.download_output(7, 1, target, sha256="0" * 64)
        client.check()
    assert target.read_bytes() == b"older"
    assert list(tmp_path.iterdir()) == [target]


def test_a_video_is_checked_by_its_tag(coordinator: FaultyCoordinator, tmp_path: Path) -> None:
    coordinator.files["jobs/7/video"] = b"film"
    seen: list[tuple[int, int]] = []
    with FarmClient(coordinator.url, TOKEN) as client:
        client.download_video(7, tmp_path / "film.mp4", lambda done, total: seen.append((done, total)))
        coordinator.fail(
            "GET /api/v1/jobs/7/video", lambda handler: handler.answer(200, b"fil?", ETag='"' + "0" * 64 + '"')
        )
        with refused("digest_mismatch"):
            client.download_video(7, tmp_path / "film.mp4")
    assert (tmp_path / "film.mp4").read_bytes() == b"film"
    assert seen == [(4, 4)]


def test_a_folder_that_cannot_be_written_to(coordinator: FaultyCoordinator, tmp_path: Path) -> None:
    coordinator.files["jobs/7/video"] = b"film"
    with FarmClient(coordinator.url, TOKEN) as client:
        with refused("not_written", "film.mp4"):
            client.download_video(7, tmp_path / "nowhere" / "film.mp4")
        client.check()


def test_the_systems_proxy_is_asked_for_other_computers_only(
    coordinator: FaultyCoordinator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", coordinator.url)
    monkeypatch.delenv("no_proxy", raising=False)
    coordinator.fail("GET http://farm.invalid:8420/api/v1/jobs?limit=50", status(200, {"items": [], "next": None}))
    with FarmClient("http://farm.invalid:8420", TOKEN) as client:
        assert client.jobs() == []
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with FarmClient(coordinator.url, TOKEN) as client:
        client.check()
