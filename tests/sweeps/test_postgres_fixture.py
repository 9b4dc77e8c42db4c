"""The server that tests start: it answers, goes away, comes back, and keeps what it was given."""

import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import postgres
import pytest
from postgres import PostgresServer, own_server, server_programs


def reaches(url: str) -> bool:
    """Whether anything listens at a URL's port."""
    address = urlsplit(url)
    with socket.socket() as connection:
        connection.settimeout(2)
        return connection.connect_ex((address.hostname, address.port)) == 0


def test_every_test_has_an_empty_database(postgres_server: PostgresServer):
    urls = [postgres_server.new_database() for _ in range(2)]
    assert len(set(urls)) == 2
    for url in urls:
        name = urlsplit(url).path.lstrip("/")
        tables = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'"
        assert postgres_server.sql(tables, name) == [["0"]]
        postgres_server.sql("CREATE TABLE planted (number integer)", name)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT])
def test_it_goes_away_and_comes_back_with_what_it_held(
    postgres_server: PostgresServer, postgres_url: str, how: signal.Signals
):
    name = urlsplit(postgres_url).path.lstrip("/")
    postgres_server.sql("CREATE TABLE kept (number integer)", name)
    postgres_server.sql("INSERT INTO kept VALUES (1), (4), (9)", name)
    asleep = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)'"
    with ThreadPoolExecutor() as pool:
        client = pool.submit(postgres_server.sql, "SELECT pg_sleep(60)", name)
        while postgres_server.sql(asleep) == [["0"]]:
            time.sleep(0.02)
        with postgres_server.away(how):
            assert not postgres_server.running
            assert not reaches(postgres_url)
            # A client that was connected is told: its statement fails.
            with pytest.raises(RuntimeError, match=r"terminat|closed"):
                client.result(timeout=10)
            with pytest.raises(RuntimeError, match="refused"):
                postgres_server.sql("SELECT 1", name)
    assert reaches(postgres_url)
    rows = postgres_server.sql("SELECT number FROM kept ORDER BY number", name)
    assert rows == [["1"], ["4"], ["9"]]


def test_a_server_takes_little_time_and_leaves_nothing(postgres_server: PostgresServer):
    began = time.monotonic()
    with own_server() as server:
        assert time.monotonic() - began < 20
        url, folder = server.url(), server.folder
        assert server.port != postgres_server.port
        assert reaches(url)
        assert server.sql("SELECT 6 * 7") == [["42"]]
    assert not reaches(url)
    assert not folder.exists()


def test_a_statement_that_is_wrong_says_so(postgres_server: PostgresServer):
    with pytest.raises(RuntimeError, match="no_such_table"):
        postgres_server.sql("SELECT * FROM no_such_table")


def test_where_there_is_none_it_says_how_to_install_one(monkeypatch):
    monkeypatch.setattr(postgres, "server_programs", lambda: None)
    with pytest.raises(FileNotFoundError, match="apt-get install"), own_server():
        pass


def test_the_programs_belong_together():
    programs = server_programs()
    if programs is None:
        pytest.skip("NOT TESTED: PostgreSQL is not installed")
    assert all((programs / name).is_file() for name in ("initdb", "postgres", "pg_isready"))
