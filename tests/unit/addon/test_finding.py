"""Farms are found on the local network; what cannot be read, or is none, is left out."""

import socket
import struct
import threading
from typing import Any, Self

import pytest
from zeroconf import ServiceInfo, Zeroconf

from addon import mdns
from addon.finding import SERVICE_TYPE, Finding, addresses_of
from addon.mdns import Service, find_services
from tests.fakes.faulty_coordinator import FaultyCoordinator


def announce(network: Zeroconf, label: str, port: int, **text: str) -> None:
    """Announce a service on the loopback."""
    info = ServiceInfo(
        SERVICE_TYPE,
        f"{label}.{SERVICE_TYPE}",
        port=port,
        properties=text,
        server=f"{label}.local.",
        parsed_addresses=["127.0.0.1"],
    )
    network.register_service(info)


class Responder:
    """Answers one question with given bytes, as anyone on a network might."""

    def __init__(self, *answers: bytes) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(10)
        self.address: tuple[str, int] = self._socket.getsockname()
        self._answers = answers
        self._thread = threading.Thread(target=self._answer)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()
        self._socket.close()

    def _answer(self) -> None:
        _, asker = self._socket.recvfrom(1000)
        for answer in self._answers:
            self._socket.sendto(answer, asker)


def name(text: str) -> bytes:
    labels = text.strip(".").split(".")
    return b"".join(bytes((len(label),)) + label.encode() for label in labels) + b"\0"


def record(owner: bytes, kind: int, data: bytes) -> bytes:
    return owner + struct.pack(">HHIH", kind, 1, 120, len(data)) + data


def answer(*records: bytes) -> bytes:
    return struct.pack(">6H", 0, 0x8400, 0, len(records), 0, 0) + b"".join(records)


def farm_records(port: int, text: bytes) -> list[bytes]:
    full = name(f"atelier.{SERVICE_TYPE}")
    return [
        record(name(SERVICE_TYPE), 12, full),
        record(full, 33, struct.pack(">3H", 0, 0, port) + name("atelier.local")),
        record(full, 16, text),
        record(name("atelier.local"), 1, b"\x7f\0\0\1"),
    ]


def find(*answers: bytes) -> list[Service]:
    with Responder(*answers) as responder:
        return find_services(SERVICE_TYPE, 0.4, lambda: False, target=responder.address)


GOOD = farm_records(8420, b"\x0cname=atelier\x07version")


def test_a_service_is_read_as_it_was_announced() -> None:
    (service,) = find(answer(*GOOD))
    assert (service.port, service.host, service.addresses) == (8420, "atelier.local", ["127.0.0.1"])
    assert service.text == {"name": "atelier", "version": ""}
    assert addresses_of(service) == ["http://127.0.0.1:8420"]


@pytest.mark.parametrize(
    "rubbish",
    [
        b"",
        b"\0" * 5,
        answer(*GOOD)[:-3],
        struct.pack(">6H", 0, 0x8400, 0, 65535, 0, 0),
        struct.pack(">6H", 0, 0, 1, 0, 0, 0) + name(SERVICE_TYPE) + b"\0\x0c\0\1",  # another question
        answer(record(b"\xc0\x0c", 12, b"")),  # a name that points at itself
        answer(record(b"\xff" * 70, 12, b"")),
        answer(record(name(SERVICE_TYPE), 12, b"\xc0\xff")),
    ],
)
def test_what_cannot_be_read_is_left_out(rubbish: bytes) -> None:
    assert [service.port for service in find(rubbish, answer(*GOOD))] == [8420]


@pytest.mark.parametrize(
    "service",
    [
        Service("x", port=8420, addresses=["10.0.0.1"]),
        Service("x", port=8420, addresses=["10.0.0.1"], text={"name": "a\nb"}),
        Service("x", port=0, addresses=["10.0.0.1"], text={"name": "a"}),
        Service("x", port=8420, addresses=["fe80::1"], text={"name": "a"}),
        Service("x", port=8420, text={"name": "a", "url": "ftp://farm"}),
        Service("x", port=8420, text={"name": "a", "url": "https://user@farm"}),
    ],
)
def test_what_is_no_farms_announcement_is_left_out(service: Service) -> None:
    assert addresses_of(service) == []


def test_a_proxys_address_counts_before_the_machines() -> None:
    service = Service("x", port=8420, addresses=["10.0.0.1"], text={"name": "a", "url": "https://farm.example"})
    assert addresses_of(service) == ["https://farm.example"]


def test_a_farm_that_answers_is_offered(coordinator: FaultyCoordinator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("addon.finding.LOOK_SECONDS", 0.4)
    port = int(coordinator.url.rpartition(":")[2].strip("/"))
    with Responder(answer(*farm_records(port, b"\x0cname=atelier"))) as responder:
        finding = Finding(responder.address)
        finding.start()
        assert finding.wait(10)
    search: Any = finding.progress()
    assert [(farm.name, farm.address) for farm in search.farms] == [("atelier", f"http://127.0.0.1:{port}")]


def test_a_farm_that_does_not_answer_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("addon.finding.LOOK_SECONDS", 0.4)
    with Responder(answer(*farm_records(1, b"\x0cname=atelier"))) as responder:
        finding = Finding(responder.address)
        finding.start()
        assert finding.wait(10)
    assert finding.progress().farms == ()
    assert "firewall" in finding.progress().message


def test_a_search_that_finds_nothing_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("addon.finding.LOOK_SECONDS", 0.1)

    def no_network(*_: object, **__: object) -> list[Service]:
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr("addon.finding.find_services", no_network)
    finding = Finding()
    finding.start()
    assert finding.wait(10)
    assert "cannot be searched (Network is unreachable)" in finding.progress().message


def test_what_zeroconf_announces_is_found() -> None:
    network = Zeroconf(interfaces=["127.0.0.1"])
    try:
        announce(network, "renderfarm-test-atelier", 8421, name="atelier", version="1")
        found = find_services(SERVICE_TYPE, 2.0, lambda: False, target=(mdns.GROUP, mdns.PORT))
    finally:
        network.close()
    assert [service.port for service in found if service.name.startswith("renderfarm-test-atelier")] == [8421]
