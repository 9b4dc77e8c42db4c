"""The web server: it serves this machine only, and only for reading.

The standard library's `http.server` suffices for one reader and a few pages. This class makes it
safe: it binds to 127.0.0.1, answers only GET and HEAD, and refuses foreign host names, so that
another site's page cannot reach it by pointing its own name here (DNS rebinding). `places` decides
which files are sent, not the library.
"""

import errno
from collections.abc import Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from miiii.viewing.pages import Pages
from miiii.viewing.places import LONGEST_PATH, TYPES, NotShownError, find_place

ADDRESS = "127.0.0.1"
HOSTS = ("127.0.0.1", "localhost", "[::1]")
PATIENCE = 10.0
"""Seconds after which an idle connection is closed."""

OWN = (
    "default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
"""Content security policy of the pages of this server."""
FILES = "sandbox; default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'"
"""Content security policy of files in a run: no scripts."""


class PortTakenError(ValueError):
    """The port cannot be used."""


class ViewServer(ThreadingHTTPServer):
    """Serves pages until it is shut down.

    Args:
        pages: the pages to send.
        port: the port to listen on; 0 for any that is free.
        hosts: host names in a proxy's requests, in addition to those of this machine.
        prefix: the start of every path that a proxy passes on, such as /proxy/8059.

    Raises:
        PortTakenError: another program uses the port, or the system forbids it.
    """

    daemon_threads = True

    def __init__(
        self, pages: Pages, port: int, hosts: Sequence[str] = (), prefix: str = ""
    ) -> None:
        self.pages = pages
        self.hosts = (*HOSTS, *(host.lower() for host in hosts))
        self.prefix = prefix.rstrip("/")
        try:
            super().__init__((ADDRESS, port), _Handler)
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            reason = "another program listens there" if taken else error.strerror
            raise PortTakenError(
                f"--port is {port}: {reason}; choose another, or 0 for any that is free"
            ) from error

    @property
    def port(self) -> int:
        """The port that the server listens on."""
        return int(self.server_address[1])

    @property
    def address(self) -> str:
        """Address of the first page."""
        return f"http://{ADDRESS}:{self.port}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore the error: a browser may close the connection at any time."""


class _Handler(BaseHTTPRequestHandler):
    server: ViewServer  # pyright: ignore[reportIncompatibleVariableOverride]
    timeout = PATIENCE
    server_version, sys_version = "miiii", ""

    def do_GET(self) -> None:
        host = (self.headers.get("Host") or "").lower()
        # Only the name is compared: a forwarded port (ssh -L) can differ from the server's port.
        name, colon, port = host.rpartition(":")
        # A final dot is the root of the domain names: `localhost.` is `localhost`.
        name = (name if colon and port.isdigit() else host).removesuffix(".")
        if name not in self.server.hosts:
            # The answer repeats only harmless characters of the request.
            safe = "".join(one for one in name[:80] if one.isalnum() or one in ".-_:[]")
            message = (
                f"this server answers to localhost, not to {safe or 'no name'!r} (--host NAME)"
            )
            self._refuse(HTTPStatus.FORBIDDEN, message)
            return
        target = self.path.partition("?")[0]
        if self.server.prefix and (target + "/").startswith(self.server.prefix + "/"):
            target = target.removeprefix(self.server.prefix) or "/"
        if len(target) > LONGEST_PATH:
            self._refuse(HTTPStatus.REQUEST_URI_TOO_LONG, "the path is too long")
            return
        try:
            place = find_place(target, self.server.pages.roots)
            if place.kind == "file":
                body, kind, policy = place.path.read_bytes(), TYPES[place.path.suffix], FILES
            elif place.version:
                body, kind, policy = self.server.pages.version(place).encode(), TYPES[".md"], OWN
            else:
                body, kind, policy = self.server.pages.page(place).encode(), TYPES[".html"], OWN
        except (NotShownError, OSError, ValueError):
            if self._is_shown(f"{target}/"):
                location = f"{target.rpartition('/')[2]}/"
                self._send(HTTPStatus.MOVED_PERMANENTLY, b"", TYPES[".md"], OWN, location)
            else:
                self._refuse(HTTPStatus.NOT_FOUND, "there is nothing to show here")
            return
        self._send(HTTPStatus.OK, body, kind, policy)

    def do_HEAD(self) -> None:
        self.do_GET()

    def _is_shown(self, target: str) -> bool:
        try:
            find_place(target, self.server.pages.roots)
        except (NotShownError, OSError, ValueError):
            return False
        return True

    def _refuse(self, status: HTTPStatus, message: str) -> None:
        self._send(status, f"{message}\n".encode(), TYPES[".md"], OWN)

    def _send(
        self, status: HTTPStatus, body: bytes, kind: str, policy: str, location: str = ""
    ) -> None:
        self.send_response(status)
        if location:
            self.send_header("Location", location)
        for name, value in (
            ("Content-Type", kind),
            ("Content-Length", str(len(body))),
            ("Content-Security-Policy", policy),
            ("X-Content-Type-Options", "nosniff"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            ("Referrer-Policy", "no-referrer"),
            ("Cache-Control", "no-store"),
        ):
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Send the library's refusal without repeating the request's text."""
        del message, explain
        status = HTTPStatus(code)
        if status == HTTPStatus.NOT_IMPLEMENTED:
            status = HTTPStatus.METHOD_NOT_ALLOWED
        self.close_connection = True
        self._refuse(status, status.phrase)

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing: the terminal needs no list of requests."""
