"""The part of multicast DNS (RFC 6762, 6763) that it takes to find services: one question, and what is answered.

What comes from the network is not trusted: lengths are checked, names cannot go round in circles, and anything that
cannot be read is left out.
"""

import ipaddress
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field

GROUP, PORT = "224.0.0.251", 5353

_A, _PTR, _TXT, _AAAA, _SRV = 1, 12, 16, 28, 33
#: The highest bit of a question's class asks for an answer to us alone.
_IN, _UNICAST = 1, 0x8000

_LARGEST = 9000
_MOST_RECORDS = 200
_MOST_LABELS = 64


@dataclass
class Service:
    """One service that was announced."""

    name: str
    host: str = ""
    port: int = 0
    text: dict[str, str] = field(default_factory=dict)
    addresses: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Record:
    name: str
    kind: int
    data: bytes
    message: bytes
    """Names in the data may point anywhere into it."""
    start: int
    """Where the data begins there."""


def find_services(
    service_type: str, seconds: float, stopped: Callable[[], bool], *, target: tuple[str, int] = (GROUP, PORT)
) -> list[Service]:
    """Ask the local network for services, and return those that answer within so many seconds.

    Raises:
        OSError: there is no network to ask.
    """
    records: list[_Record] = []
    question = _question(service_type)
    with ExitStack() as held:
        sockets = [held.enter_context(one) for one in _sockets(target[0])]
        sent = 0
        for turn in range(2):  # the first question may get lost
            until = time.monotonic() + seconds / 2
            for one in sockets:
                try:
                    one.sendto(question, target)
                    sent += 1
                except OSError:
                    if turn == 1 and not sent:
                        raise
            while time.monotonic() < until and not stopped():
                for one in sockets:
                    with suppress(TimeoutError, OSError, ValueError):
                        records += _records(one.recv(_LARGEST))
                if not sent:
                    break
    return _services(service_type, records)


def _sockets(group: str) -> Iterator[socket.socket]:
    """Yield a socket for each network of this machine that is known by an address."""
    own: set[str] = {"127.0.0.1"}
    with suppress(OSError):
        own.update(str(it[4][0]) for it in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET))
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((group, PORT))  # sends nothing; tells which network leads there
        own.add(probe.getsockname()[0])
    for address in sorted(own):
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            one.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
            one.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
            one.bind(("", 0))
            one.settimeout(0.1)
        except OSError:
            one.close()
            continue
        yield one


def _question(name: str) -> bytes:
    labels = b"".join(bytes((len(label),)) + label.encode() for label in name.strip(".").split("."))
    return struct.pack(">6H", 0, 0, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">2H", _PTR, _IN | _UNICAST)


def _records(message: bytes) -> list[_Record]:
    """Return the records of an answer.

    Raises:
        ValueError: it cannot be read.
    """
    try:
        _, flags, questions, *counts = struct.unpack_from(">6H", message)
        if not flags & 0x8000 or sum(counts) > _MOST_RECORDS or questions > _MOST_RECORDS:
            raise ValueError("no answer")
        place, found = 12, []
        for _ in range(questions):
            _, place = _name(message, place)
            place += 4
        for _ in range(sum(counts)):
            name, place = _name(message, place)
            kind, _, _, length = struct.unpack_from(">HHIH", message, place)
            place += 10
            data = message[place : place + length]
            if len(data) != length:
                raise ValueError("cut off")
            found.append(_Record(name, kind, data, message, place))
            place += length
    except (struct.error, IndexError) as error:
        raise ValueError("cut off") from error
    return found


def _name(message: bytes, place: int) -> tuple[str, int]:
    """Return a name and where it ends; the rest of it may lie further to the front (RFC 1035, 4.1.4)."""
    labels: list[str] = []
    end = None
    while length := message[place]:
        if length & 0xC0 == 0xC0:
            end = place + 2 if end is None else end
            earlier = (length & 0x3F) << 8 | message[place + 1]
            if earlier >= place:
                raise ValueError("goes round in circles")
            place = earlier
            continue
        if length & 0xC0 or len(labels) == _MOST_LABELS:
            raise ValueError("no name")
        label = message[place + 1 : place + 1 + length]
        labels.append(label.decode("utf-8", errors="replace"))
        place += 1 + length
    return ".".join(labels).lower(), (place + 1 if end is None else end)


def _services(service_type: str, records: list[_Record]) -> list[Service]:
    wanted = service_type.strip(".").lower()
    services: dict[str, Service] = {}
    for record in records:
        with suppress(ValueError, IndexError):
            if record.kind == _PTR and record.name == wanted:
                name, _ = _name(record.message, record.start)
                services.setdefault(name, Service(name))
    for record in records:
        with suppress(ValueError, IndexError, struct.error):
            service = services.get(record.name)
            if service is not None and record.kind == _SRV:
                service.port = struct.unpack_from(">3H", record.data)[2]
                service.host, _ = _name(record.message, record.start + 6)
            elif service is not None and record.kind == _TXT:
                service.text = _text(record.data)
    for service in services.values():
        for record in records:
            if record.name == service.host and record.kind in (_A, _AAAA):
                with suppress(ValueError):
                    address = str(ipaddress.ip_address(record.data))
                    if address not in service.addresses:
                        service.addresses.append(address)
    return list(services.values())


def _text(data: bytes) -> dict[str, str]:
    """Return the keys and values of a TXT record (RFC 6763, 6.3)."""
    text: dict[str, str] = {}
    place = 0
    while place < len(data):
        length = data[place]
        key, _, value = data[place + 1 : place + 1 + length].decode("utf-8", errors="replace").partition("=")
        if key:
            text.setdefault(key, value)
        place += 1 + length
    return text
