"""The server: for this machine only, and for reading only.

The standard library's `http.server` is enough: one reader, a handful of pages, no secrets that a
network could carry away. What it leaves open is shut here: it binds to 127.0.0.1, answers GET and
HEAD only, and refuses every host name but its own, so that a page elsewhere cannot reach it by
renaming itself (DNS rebinding). Files are handed out by `places`, never by the library.
"""

import errno
from collections.abc import Callable, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from miiii.viewing.pages import Pages
from miiii.viewing.places import LONGEST_PATH, TYPES, NotShownError, find_place

ADDRESS = "127.0.0.1"
HOSTS = ("127.0.0.1", "localhost", "[::1]")
PATIENCE = 10.0
"""Seconds that a connection may be silent."""

OWN = (
    "default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
"""What the browser allows our own pages."""
FILES = "sandbox; default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'"
"""What it allows files out of a run: no script."""


class PortTakenError(ValueError):
    """The port cannot be had."""


class ViewServer(ThreadingHTTPServer):
    """Serves pages until it is shut down.

    Args:
        pages: what is shown.
        port: to listen on; 0 for any that is free.
        hosts: names by which a proxy asks for the pages, beside those of this machine.
        prefix: what stands before every path that a proxy passes on, such as /proxy/8059.

    Raises:
        PortTakenError: another program listens there, or it may not be had.
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
            why = "another program listens there" if taken else error.strerror
            raise PortTakenError(
                f"--port is {port}: {why}; choose another, or 0 for any that is free"
            ) from error

    @property
    def port(self) -> int:
        """That it listens on."""
        return int(self.server_address[1])

    @property
    def address(self) -> str:
        """Of its first page."""
        return f"http://{ADDRESS}:{self.port}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that closes the connection is no error."""


class _Handler(BaseHTTPRequestHandler):
    server: ViewServer  # pyright: ignore[reportIncompatibleVariableOverride]
    timeout = PATIENCE
    server_version, sys_version = "miiii", ""

    def do_GET(self) -> None:
        self._answer(self.wfile.write)

    def do_HEAD(self) -> None:
        self._answer(lambda _: None)

    def _answer(self, write: Callable[[bytes], Any]) -> None:
        host = (self.headers.get("Host") or "").lower()
        # Only the name: a forwarded port (ssh -L) is another one at the browser's end.
        name, colon, port = host.rpartition(":")
        # A final dot is the root of the domain names: `localhost.` is `localhost`.
        name = (name if colon and port.isdigit() else host).removesuffix(".")
        if name not in self.server.hosts:
            heard = "".join(one for one in name[:80] if one.isalnum() or one in ".-_:[]")
            why = f"this server answers to localhost, not to {heard or 'no name'!r} (--host NAME)"
            self._refuse(HTTPStatus.FORBIDDEN, why, write)
            return
        target = self.path.partition("?")[0]
        if self.server.prefix and (target + "/").startswith(self.server.prefix + "/"):
            target = target.removeprefix(self.server.prefix) or "/"
        if len(target) > LONGEST_PATH:
            self._refuse(HTTPStatus.REQUEST_URI_TOO_LONG, "the path is too long", write)
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
                self._send(
                    HTTPStatus.MOVED_PERMANENTLY,
                    b"",
                    TYPES[".md"],
                    OWN,
                    write,
                    f"{target.rpartition('/')[2]}/",
                )
                return
            self._refuse(HTTPStatus.NOT_FOUND, "there is nothing to show here", write)
            return
        self._send(HTTPStatus.OK, body, kind, policy, write)

    def _is_shown(self, target: str) -> bool:
        try:
            find_place(target, self.server.pages.roots)
        except (NotShownError, OSError, ValueError):
            return False
        return True

    def _refuse(self, status: HTTPStatus, why: str, write: Callable[[bytes], Any]) -> None:
        self._send(status, f"{why}\n".encode(), TYPES[".md"], OWN, write)

    def _send(
        self,
        status: HTTPStatus,
        body: bytes,
        kind: str,
        policy: str,
        write: Callable[[bytes], Any],
        elsewhere: str = "",
    ) -> None:
        self.send_response(status)
        for name, value in (
            *((("Location", elsewhere),) if elsewhere else ()),
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
        write(body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the library itself refuses, without repeating what was asked."""
        del message, explain
        status = HTTPStatus(code)
        if status == HTTPStatus.NOT_IMPLEMENTED:
            status = HTTPStatus.METHOD_NOT_ALLOWED
        silent = getattr(self, "command", None) == "HEAD"
        self.close_connection = True
        self._refuse(status, status.phrase, (lambda _: None) if silent else self.wfile.write)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: whoever looks needs no list of their own requests."""
