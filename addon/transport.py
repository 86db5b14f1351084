"""One HTTP connection to the coordinator, kept open, and what its failures mean in a person's words.

Nothing but the standard library: this runs inside Blender.
"""

import http.client
import json
import math
import re
import socket
import ssl
import time
import urllib.parse
import urllib.request
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

#: Seconds to wait for a connection, and for the next bytes of an answer.
CONNECT_TIMEOUT, READ_TIMEOUT = 5.0, 60.0

#: After this many idle seconds a connection is opened anew: the other side may be closing the old one just now, and a
#: request that it swallows cannot be told from one that was carried out.
LONGEST_IDLE = 5.0

#: The longest answer that is read into memory, in bytes.
_LARGEST_ANSWER = 64 * 1024 * 1024

_LOOPBACK = re.compile(r"localhost|127\.\d+\.\d+\.\d+|::1")

#: With these answers the same request may succeed a little later.
_PASSING_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504, 507})

_TOKEN_HINT = "“renderfarm token create” makes an admin token."  # noqa: S105 - a hint, not a secret


class FarmError(Exception):
    """A call failed; as text, one or two sentences for people.

    ``code`` is one of docs/PROTOCOL.md's, or ``bad_address``, ``unreachable``, ``not_a_coordinator``, ``tls``,
    ``timeout``, ``interrupted`` (the connection broke after the request was sent).
    """

    def __init__(
        self, code: str, message: str, hint: str = "", *, fields: Mapping[str, Any] | None = None, passing: bool = False
    ) -> None:
        super().__init__(f"{message} {hint}".strip())
        self.code = code
        self.message = message
        self.hint = hint
        self.fields = dict(fields or {})
        self.passing = passing
        """Repeating the call a little later may help."""


class Transport:
    """Sends requests to ``base_url``, whose ``http://`` may be left out.  For one thread.

    Raises:
        FarmError: ``base_url`` is no http or https address.
    """

    def __init__(self, base_url: str, token: str) -> None:
        address = base_url.strip()
        self.base_url = (address if "://" in address else f"http://{address}").rstrip("/")
        self.token = token.strip()
        parts = _split(self.base_url)
        self._secure = parts.scheme == "https"
        self._host, self._port = parts.hostname or "", parts.port or (443 if self._secure else 80)
        proxy = self._proxy(parts.scheme)
        # A proxy is told the whole address; with TLS it only passes bytes on (CONNECT).
        self._prefix = self.base_url if proxy is not None and not self._secure else parts.path
        self._proxy_address = (proxy.hostname or "", proxy.port or 8080) if proxy is not None else None
        self._connection: http.client.HTTPConnection | None = None
        self._last_used = 0.0

    def close(self) -> None:
        """Close the connection; the next request opens one anew."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Send JSON (or nothing) and return the JSON object that is answered.

        Raises:
            FarmError: there is no such answer.
        """
        payload = None if body is None else json.dumps(body).encode()
        return self._answer(self._request(method, path, payload, {"Content-Type": "application/json"}))

    def upload(self, path: str, size: int, pieces: Iterable[bytes | memoryview]) -> None:
        """POST ``size`` bytes that come in pieces.

        Raises:
            FarmError: they were not accepted.
        """
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        self._answer(self._request("POST", path, pieces, headers))

    def open(self, path: str) -> http.client.HTTPResponse:
        """GET a file; return its answer, to be read to the end with :meth:`read` before the next request.

        Raises:
            FarmError: it was refused.
        """
        response = self._request("GET", path, None, {})
        if response.status != 200:
            self._answer(response)
            raise self.no_coordinator()
        return response

    def read(self, response: http.client.HTTPResponse, size: int) -> bytes:
        """Return the next bytes, at most ``size``; nothing at the end.

        Raises:
            FarmError: the connection broke before the end.
        """
        try:
            piece = response.read(size)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise self._failure(error) from error
        if not piece and response.length:  # http.client tells a short answer only to those who read it whole.
            self.close()
            raise self._broken()
        return piece

    def no_coordinator(self) -> FarmError:
        """Return the error for an answer that no coordinator gives."""
        return FarmError(
            "not_a_coordinator",
            f"What answers at {self.base_url} is no coordinator of a render farm.",
            "Check the address and the port.",
        )

    def _request(
        self, method: str, path: str, body: bytes | Iterable[bytes | memoryview] | None, headers: dict[str, str]
    ) -> http.client.HTTPResponse:
        headers = {"Accept": "application/json", **headers}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        if time.monotonic() - self._last_used > LONGEST_IDLE:
            self.close()
        while True:
            reused = self._connection is not None
            connection = self._connection or self._connect()
            try:
                whole = False
                # A request that is refused before all of it was sent has its answer waiting all the same.
                with suppress(BrokenPipeError, ConnectionResetError):
                    connection.request(method, self._prefix + path, body=body, headers=headers)
                    whole = True
                response = connection.getresponse()
            except (OSError, http.client.HTTPException) as error:
                self.close()
                if reused and method == "GET" and isinstance(error, http.client.RemoteDisconnected):
                    continue
                raise self._failure(error) from error
            except BaseException:
                self.close()
                raise
            # Half a request is not to be followed by another one.
            self._last_used = time.monotonic() if whole else -math.inf
            return response

    def _answer(self, response: http.client.HTTPResponse) -> dict[str, Any]:
        if (response.length or 0) > _LARGEST_ANSWER:
            self.close()
            raise self.no_coordinator()
        try:
            data = response.read() if response.length is not None else response.read(_LARGEST_ANSWER)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise self._failure(error) from error
        if not response.isclosed():
            self.close()
        answer: Any = None
        with suppress(ValueError):
            answer = json.loads(data) if data else {}
        if response.status >= 300:
            raise self._refusal(response.status, answer)
        if not isinstance(answer, dict):
            raise self.no_coordinator()
        return answer

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self._proxy_address or (self._host, self._port)
        connection: http.client.HTTPConnection
        if self._secure:
            context = ssl.create_default_context()
            connection = http.client.HTTPSConnection(host, port, timeout=CONNECT_TIMEOUT, context=context)
            if self._proxy_address is not None:
                connection.set_tunnel(self._host, self._port)
        else:
            connection = http.client.HTTPConnection(host, port, timeout=CONNECT_TIMEOUT)
        try:
            connection.connect()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise self._failure(error, connecting=True) from error
        connection.sock.settimeout(READ_TIMEOUT)
        self._connection = connection
        return connection

    def _proxy(self, scheme: str) -> urllib.parse.SplitResult | None:
        """Return the system's proxy for the coordinator; one on this computer is never asked through a proxy."""
        if _LOOPBACK.fullmatch(self._host) or urllib.request.proxy_bypass(self._host):
            return None
        address = urllib.request.getproxies().get(scheme)
        return _split(address if "://" in address else f"http://{address}") if address else None

    def _failure(self, error: Exception, *, connecting: bool = False) -> FarmError:
        """Say what an error of the connection means."""
        if isinstance(error, ssl.SSLCertVerificationError):
            return FarmError(
                "tls",
                f"The certificate of {self.base_url} cannot be trusted: {error.verify_message}.",
                "Use the name that is in the certificate, or have this computer trust who issued it.",
            )
        if isinstance(error, ssl.SSLError) and connecting:
            return FarmError(
                "tls", f"{self.base_url} does not speak HTTPS.", "If the coordinator has no TLS, write http:// instead."
            )
        if isinstance(error, TimeoutError):
            return FarmError(
                "unreachable" if connecting else "timeout",
                f"The coordinator at {self.base_url} does not answer.",
                "Check that it runs and that no firewall stands between.",
                passing=True,
            )
        if isinstance(error, socket.gaierror):
            return FarmError(
                "unreachable", f"There is no computer named “{self._host}”.", "Check the coordinator's address."
            )
        if connecting:
            return FarmError(
                "unreachable",
                f"There is no coordinator at {self.base_url}.",
                "Start it with “renderfarm coordinator”, or check the address.",
                passing=True,
            )
        if isinstance(error, http.client.BadStatusLine) and not isinstance(error, http.client.RemoteDisconnected):
            return self.no_coordinator()
        return self._broken()

    def _refusal(self, status: int, answer: Any) -> FarmError:
        """Say what an answer that is no success means."""
        passing = status in _PASSING_STATUSES
        with suppress(KeyError, TypeError, AttributeError):
            error = answer["error"]
            hint = _TOKEN_HINT if status in (401, 403) else ""
            fields = {str(name): value for name, value in (error.get("fields") or {}).items()}
            return FarmError(str(error["code"]), _sentence(str(error["message"])), hint, fields=fields, passing=passing)
        if status >= 500:
            return FarmError(
                "internal",
                f"The coordinator at {self.base_url} has a fault (HTTP {status}).",
                "Try again in a moment; its log says more.",
                passing=passing,
            )
        return self.no_coordinator()

    def _broken(self) -> FarmError:
        return FarmError(
            "interrupted",
            f"The connection to the coordinator at {self.base_url} broke.",
            "Try again; what was uploaded is kept.",
            passing=True,
        )


def _sentence(text: str) -> str:
    """Return what the coordinator says with a capital letter and a full stop."""
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '!', '?')) else '.'}"


def _split(address: str) -> urllib.parse.SplitResult:
    """Return the parts of an http or https address.

    Raises:
        FarmError: it is none.
    """
    try:
        parts = urllib.parse.urlsplit(address)
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
            return parts._replace(query="", fragment="")
    except ValueError:
        pass  # urlsplit and .port raise it for brackets and ports that are none.
    raise FarmError(
        "bad_address", f"“{address}” is no address of a coordinator.", "Write it like http://192.168.1.10:8420."
    )
