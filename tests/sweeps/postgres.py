"""A PostgreSQL server of the tests' own: from Debian's package, in a temporary directory.

`postgres_server` is one server per pytest process; `postgres_url` is a new database on it. Nothing
is shared with a server that the machine may run. It forgets on a power cut (`fsync=off`) and lets
everybody in who can reach 127.0.0.1 on this machine: it is for tests.
"""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

INSTALL = "apt-get install --no-install-recommends postgresql"
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    # A client that connects as the server stops, and says nothing, would hold it up for a minute.
    "authentication_timeout": "2s",
}


def server_programs() -> Path | None:
    """The directory that holds initdb and postgres (Debian keeps them off PATH); the newest one."""
    versions = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    found = sorted(versions, key=lambda path: int(path.parts[-3].split(".")[0]), reverse=True)
    on_path = shutil.which("initdb")
    programs = [path.parent for path in found]
    programs += [Path(on_path).resolve().parent] if on_path else []
    return next((path for path in programs if (path / "postgres").is_file()), None)


class PostgresServer:
    """A server that can be stopped and started while clients hold connections.

    Attributes:
        port: where it listens on 127.0.0.1; the same after a restart.
    """

    def __init__(self, programs: Path, folder: Path):
        self.programs = programs
        self.folder = folder
        self.data = folder / "data"
        self.log = folder / "server.log"
        self._as_user: list[str] = []
        if os.geteuid() == 0:  # the server refuses to run as root
            user = _unprivileged_user()
            os.chown(folder, user.pw_uid, user.pw_gid)
            identity = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
            self._as_user = ["setpriv", *identity, "--"]
        self._process: subprocess.Popen | None = None
        self.port = _free_port()
        self._initialise()

    @property
    def running(self) -> bool:
        """Whether the server's process lives."""
        return self._process is not None and self._process.poll() is None

    def url(self, database: str = "postgres") -> str:
        """The address of a database as Optuna takes it."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def start(self, patience: float = 20.0) -> None:
        """Start the server and return when it answers.

        Raises:
            RuntimeError: it ended, or did not answer within `patience` seconds; with its log.
        """
        assert not self.running
        options = [f"--{name}={value}" for name, value in SETTINGS.items()]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *self._as_user,
                    *(str(self.programs / "postgres"), "-D", str(self.data)),
                    *(f"--port={self.port}", *options),
                ],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C in pytest reaches the fixture first
            )
        deadline = time.monotonic() + patience
        while not self._answers():
            if not self.running or time.monotonic() > deadline:
                self.stop(signal.SIGQUIT)
                raise RuntimeError(f"PostgreSQL did not start:\n{self.log.read_text()[-2000:]}")
            time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop the server: connections are cut (SIGINT), or it crashes (SIGQUIT)."""
        if self._process is None:
            return
        if self.running:
            self._process.send_signal(how)
        self._process.wait(timeout=30)
        self._process = None

    @contextlib.contextmanager
    def away(self, how: signal.Signals = signal.SIGINT) -> Iterator[None]:
        """The server is gone within the block, and back after it."""
        self.stop(how)
        try:
            yield
        finally:
            self.start()

    def sql(self, statement: str, database: str = "postgres") -> list[list[str]]:
        """Run a statement with psql; returns rows of text.

        Raises:
            RuntimeError: the server refused it, or was not there.
        """
        words = ["--no-psqlrc", "--tuples-only", "--no-align", "--field-separator=\t"]
        words += ["--set=ON_ERROR_STOP=1", "--command", statement, self.url(database)]
        program = str(self.programs / "psql")
        done = subprocess.run([program, *words], capture_output=True, text=True, timeout=60)
        if done.returncode:
            raise RuntimeError(done.stderr.strip())
        return [line.split("\t") for line in done.stdout.splitlines()]

    def new_database(self) -> str:
        """Make an empty database; returns its address."""
        taken = int(self.sql("SELECT count(*) FROM pg_database")[0][0])
        name = f"sweep_{taken}"
        self.sql(f"CREATE DATABASE {name}")
        return self.url(name)

    def _initialise(self) -> None:
        words = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale"]
        words += ["--no-sync", "-D", str(self.data)]
        done = subprocess.run(
            [*self._as_user, str(self.programs / "initdb"), *words],
            cwd=self.folder,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise RuntimeError(f"initdb failed: {done.stderr or done.stdout}")

    def _answers(self) -> bool:
        words = ["--quiet", "--host=127.0.0.1", f"--port={self.port}", "--username=postgres"]
        return subprocess.run([str(self.programs / "pg_isready"), *words]).returncode == 0


def _unprivileged_user() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise RuntimeError("PostgreSQL refuses to run as root, and there is no user to run it as")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextlib.contextmanager
def own_server() -> Iterator[PostgresServer]:
    """A running server in a temporary directory, which goes with it.

    Raises:
        FileNotFoundError: PostgreSQL is not installed.
    """
    programs = server_programs()
    if programs is None:
        raise FileNotFoundError(f"PostgreSQL is not installed: {INSTALL}")
    # Not pytest's own directory: another user must be able to enter this one.
    with tempfile.TemporaryDirectory(prefix="miiii-postgres-") as folder:
        server = PostgresServer(programs, Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A server that runs; a test that stops it starts it again."""
    if server_programs() is None:
        message = f"NOT TESTED: PostgreSQL is not installed: {INSTALL}"
        # Where it must not be missing (.ci/run), a skip would hide that nothing was tested.
        if "postgresql" in os.environ.get("MIIII_TESTS_NEED", "").split():
            pytest.fail(message)
        pytest.skip(message)
    with own_server() as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> str:
    """The address of an empty database, this test's own."""
    if not postgres_server.running:
        postgres_server.start()
    return postgres_server.new_database()
