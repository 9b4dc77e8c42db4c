"""`miiii view`: the real server, asked nicely and otherwise."""

import signal
import socket
import subprocess
import sys
import threading
import time
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from command import start
from miiii import get_preset, replace_fields
from miiii.cli.main import run
from miiii.runs.directory import RunDirectory
from miiii.viewing import reports
from miiii.viewing.pages import POLICY, Pages
from miiii.viewing.places import LONGEST_PATH, Roots, find_place
from miiii.viewing.server import PortTakenError, ViewServer
from report.devtools import BROWSER, Browser
from results.stored_runs import history, store
from wording import naming, says

CONFIG = replace_fields(get_preset("tiny"), base=5, width=8, heads=2, epochs=24)
SECRET = "what nobody outside may read"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("view")
    runs = folder / "runs"
    for name in ("plain", "other", "poisoned"):
        store(runs, name, CONFIG, ())
    store(runs, "waves", replace_fields(CONFIG, task="waves"), ())
    store(folder / "studies" / "mine" / "runs", "miiii-seed0", CONFIG, ())
    (folder / "studies" / "mine" / "study.toml").write_text("")
    (folder / "secret.txt").write_text(SECRET)
    (folder / "secret.svg").write_text(SECRET)
    outside = store(folder / "outside", "run", CONFIG, ())
    (outside / "config.toml").write_text((outside / "config.toml").read_text() + f"# {SECRET}\n")
    figures = runs / "plain" / "figures"
    figures.mkdir()
    (figures / "index.html").write_text("<p>gallery</p><script>alert(1)</script>")
    (figures / "figure-4.svg").write_text("<svg/>")
    (figures / "weights.safetensors").write_text(SECRET)
    (figures / "link.svg").symlink_to(folder / "secret.svg")
    (figures / "up").symlink_to(folder)
    (runs / "plain" / "circuits").symlink_to(folder)
    (runs / "linked").symlink_to(outside)
    (runs / "poisoned" / "config.toml").unlink()
    (runs / "poisoned" / "config.toml").symlink_to(outside / "config.toml")
    (folder / "studies" / "far").symlink_to(folder / "outside")
    (folder / "outside" / "study.toml").write_text("")
    return folder


@pytest.fixture
def server(folder, tmp_path):
    pages = Pages(Roots(folder / "runs", folder / "studies"), tmp_path)
    with ViewServer(pages, 0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()
        pages.reports.close()


def ask(server, path, method="GET", host=None):
    """Status, headers and body; nothing of the path is altered on the way."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.putrequest(method, "/", skip_host=True)
    # http.client refuses hostile paths, so the line is written by hand.
    connection._buffer[0] = f"{method} {path} HTTP/1.1".encode("latin-1")  # pyright: ignore
    connection.putheader("Host", host or f"127.0.0.1:{server.port}")
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer.status, answer.headers, body


def test_the_index_names_runs_and_studies(server):
    status, _, body = ask(server, "/")
    assert status == 200
    for name in ("plain", "other", "waves"):
        assert f'href="runs/{name}/"' in body
    assert 'href="studies/mine/"' in body
    assert "linked" not in body
    assert "poisoned" not in body
    assert "far" not in body


def test_a_run_shows_its_curves_and_tasks(server):
    status, headers, body = ask(server, "/runs/plain/")
    assert status == 200
    assert body.count("<svg") == 4
    assert body.count('class="mean"') == 4
    for modulus in CONFIG.task.task_moduli:
        assert f'<th scope="row">{modulus}</th>' in body
    assert "24 of 24" in body
    assert 'href="figures/"' in body
    assert "connect-src 'self'" in headers["Content-Security-Policy"]
    assert ask(server, "/runs/waves/")[0] == 200
    assert ask(server, "/studies/mine/runs/miiii-seed0/")[0] == 200


def test_pictures_are_shown_without_scripts(server):
    status, headers, body = ask(server, "/runs/plain/figures/")
    assert (status, body[:14]) == (200, "<p>gallery</p>")
    assert headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    assert "script-src" not in headers["Content-Security-Policy"]
    assert ask(server, "/runs/plain/figures/figure-4.svg")[2] == "<svg/>"


HOSTILE = [
    "/../secret.txt",
    "/runs/../secret.txt",
    "/runs/plain/../../secret.txt",
    "/runs/plain/figures/../../../secret.svg",
    "/runs/%2e%2e/secret.txt",
    "/runs/plain/figures/%2e%2e/%2e%2e/%2e%2e/secret.svg",
    "/runs/plain/figures/%2E%2E%2F%2E%2E%2F%2E%2E%2Fsecret.svg",
    "/runs/plain/figures/..%2f..%2f..%2fsecret.svg",
    "/runs/plain/figures/..%5c..%5c..%5csecret.svg",
    "/runs/plain/figures/..\\..\\..\\secret.svg",
    "/runs/plain/figures/%252e%252e/secret.svg",
    "/runs/plain/figures/link.svg",
    "/runs/plain/figures/up/secret.svg",
    "/runs/plain/circuits/secret.svg",
    "/runs/plain/figures/weights.safetensors",
    "/runs/plain/config.toml",
    "/runs/plain/history/",
    "/runs/linked/",
    "/runs/poisoned/",
    "/runs/poisoned/version",
    "/runs/.//",
    "/runs//plain/",
    "//etc/passwd",
    "/etc/passwd",
    "/runs//etc/passwd",
    "/runs/%2fetc%2fpasswd/",
    "/runs/plain/figures//etc/passwd",
    "/runs/plain%00/",
    "/runs/plain/figures/figure-4.svg%00.png",
    "/runs/plain/figures/%00",
    "/runs/plain/figures/%0a.svg",
    "/runs/plain/figures/%c0%ae%c0%ae/secret.svg",
    "/runs/plain/figures/%ff.svg",
    "/runs/" + "a" * 300 + "/",
    "/runs/plain/figures/" + "a" * 300 + ".svg",
    "/studies/far/",
    "/studies/far/runs/run/",
    "/studies/../runs/plain/",
    "/studies/mine/runs/../../../secret.txt",
    "/studies/mine/study.toml",
    "http://127.0.0.1/runs/plain/",
    "runs/plain/",
    "*",
]


@pytest.mark.parametrize("path", HOSTILE)
def test_nothing_else_can_be_read(server, path):
    status, _, body = ask(server, path)
    assert status == 404
    assert says(body, "nothing here")


def test_what_hostile_paths_aim_at_is_there(folder):
    """The test above would fail if a path led where it means to."""
    figures = folder / "runs" / "plain" / "figures"
    assert (figures / ".." / ".." / ".." / "secret.svg").read_text() == SECRET
    assert (figures / "link.svg").read_text() == (figures / "up" / "secret.svg").read_text()
    assert SECRET in (folder / "runs" / "poisoned" / "config.toml").read_text()
    assert SECRET in (folder / "runs" / "linked" / "config.toml").read_text()


@pytest.mark.parametrize("length", [LONGEST_PATH + 1, 70_000])
def test_overlong_paths_are_refused(server, length):
    assert ask(server, "/" + "a" * length)[0] == 414


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil",
        "10.0.0.1",
        "evil.example:8059",
        "localhost.evil.",
        "@",
    ],
)
def test_other_host_names_are_refused(server, host):
    status, _, body = ask(server, "/", host=host)
    assert status == 403
    heard = host.partition(":")[0].strip("@").removesuffix(".") or "no name"
    assert says(body, f"localhost {heard!r} --host")


def test_own_host_names_are_served(server):
    other = ("localhost.", "localhost.:9000", "[::1]", "[::1]:9000")
    own = ("localhost", "LOCALHOST:9000", f"localhost:{server.port}", "127.0.0.1:9000")
    for host in (*own, *other):
        assert ask(server, "/", host=host)[0] == 200


def test_a_proxy_keeps_its_host_and_its_path(folder, tmp_path):
    pages = Pages(Roots(folder / "runs", folder / "studies"), tmp_path)
    with ViewServer(pages, 0, ("hub.example",), "/user/x/proxy/8059/") as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        for path in ("/user/x/proxy/8059/runs/plain/", "/runs/plain/", "/user/x/proxy/8059/"):
            status, _, body = ask(server, path, host="hub.example")
            assert status == 200
            assert 'href="/' not in body
        assert ask(server, "/user/x/proxy/80591/", host="hub.example")[0] == 404
        assert ask(server, "/", host="other.example")[0] == 403
        server.shutdown()
        thread.join()
        pages.reports.close()


def test_runs_that_are_links_are_counted(folder, tmp_path):
    runs = tmp_path / "runs"
    runs.mkdir()
    (runs / "linked").symlink_to(folder / "runs" / "plain")
    pages = Pages(Roots(runs, folder / "studies"), tmp_path)
    body = pages.page(find_place("/", pages.roots))
    assert says(body, "1 run link not shown")
    pages.reports.close()


def test_a_request_without_a_host_is_refused(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as plain:
        plain.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert b" 403 " in plain.recv(100)


@pytest.mark.parametrize(
    "method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"]
)
def test_it_is_only_read(server, folder, method):
    assert ask(server, "/runs/plain/", method)[0] == 405


def test_head_is_get_without_a_body(server):
    _, wanted, _ = ask(server, "/runs/plain/figures/figure-4.svg")
    status, headers, body = ask(server, "/runs/plain/figures/figure-4.svg", "HEAD")
    assert (status, body, headers["Content-Length"]) == (200, "", wanted["Content-Length"])


def test_only_this_machine_is_served(server):
    assert server.server_address[0] == "127.0.0.1"


def test_the_version_changes_when_the_history_grows(server, folder):
    before = ask(server, "/runs/other/version")[2]
    assert ask(server, "/runs/other/version")[2] == before
    index = ask(server, "/version")[2]
    status = folder / "runs" / "other" / "status.json"
    status.write_text(status.read_text() + " ")
    assert ask(server, "/runs/other/version")[2] != before
    assert ask(server, "/version")[2] != index


REPORT = f"""<!doctype html><html><head>{POLICY} content="default-src 'none'"></head><body>
<details id="one"><summary>s</summary>text</details></body></html>"""


def test_a_study_shows_its_report_once_it_is_made(server, monkeypatch):
    def begin(study, output):
        code = f"open({str(output)!r}, 'w').write({REPORT!r})"
        return subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)

    monkeypatch.setattr(reports, "begin_report", begin)
    first = ask(server, "/studies/mine/")[2]
    assert says(first, "report being made")
    assert 'href="runs/miiii-seed0/"' in first
    while "The report is being made" in (body := ask(server, "/studies/mine/")[2]):
        time.sleep(0.02)
    assert '<details id="one">' in body
    assert "Content-Security-Policy" not in body
    version = ask(server, "/studies/mine/version")[2]
    assert version.startswith("report ")
    assert f'data-version="{version}"' in body


def test_a_report_that_fails_says_why(server, monkeypatch):
    def begin(study, output):
        code = "import sys; sys.exit('error: a run is damaged')"
        return subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)

    monkeypatch.setattr(reports, "begin_report", begin)
    study = server.pages.roots.studies / "mine"
    made = server.pages.reports.look(study)
    made.process.wait()
    while not made.last_line:
        time.sleep(0.01)
    assert says(ask(server, "/studies/mine/")[2], "error: run damaged")


def test_the_reports_own_policy_is_what_is_replaced():
    template = Path(reports.__file__).parents[1] / "report/templates/report/report.html.jinja"
    assert template.read_text().count(POLICY) == 1


def test_a_port_that_is_taken(server, folder, monkeypatch, capsys):
    with pytest.raises(PortTakenError, match=naming("another program listens")):
        ViewServer(server.pages, server.port)
    monkeypatch.chdir(folder)
    assert run(["view", "--port", str(server.port)]) == 2
    error = capsys.readouterr().err
    assert says(error, f"error: --port {server.port} another program")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["plian"], "unknown run study 'plian' 'plain'"),
        (["--port", "70000"], "--port 70000 0 65,535"),
        (["linked"], "linked shown"),
    ],
)
def test_refusals(folder, monkeypatch, capsys, words, message):
    monkeypatch.chdir(folder)
    assert run(["view", *words]) == 2
    output = capsys.readouterr()
    assert says(output.err, message)
    assert output.err.count("\n") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it(folder, cache, number):
    process = start(["view", "studies/mine/runs/miiii-seed0", "--port", "0"], folder, cache)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("http://127.0.0.1:")
    assert "/runs/miiii-seed0/ (Ctrl-C ends it)" in line
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")


def grow(directory, first, last):
    """More epochs, as a run that trains saves them."""
    rows = history(CONFIG, last)
    directory.append_history(first, last, {key: value[first - 1 :] for key, value in rows.items()})
    directory.write_status({**directory.status, "state": "running", "epoch": last})


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="needs Chromium")
def test_the_page_follows_a_run_and_keeps_its_place(server, folder, tmp_path):
    directory = RunDirectory(store(folder / "runs", "growing", CONFIG, ()))
    with directory.lock(), Browser(tmp_path, 900, 400) as browser:
        browser.open(f"{server.address}runs/growing/")
        browser.wait("document.querySelectorAll('.mean').length === 4")
        browser.evaluate("document.getElementById('settings-text').open = true")
        browser.evaluate("scrollTo(0, 333)")
        for first in (25, 31):
            grow(directory, first, first + 5)
            said = "document.getElementById('epoch-done')?.textContent"
            browser.wait(f"document.readyState === 'complete' && {said} === '{first + 5} of 24'")
            browser.wait("scrollY === 333 && document.getElementById('settings-text').open")
        assert browser.evaluate("document.getElementById('state').textContent") == "running"
        assert not browser.complaints()
        assert {urlsplit(url).netloc for url in browser.requests()} - {""} == {
            f"127.0.0.1:{server.port}"
        }


@pytest.mark.parametrize("path", ["/runs/plain", "/studies/mine", "/studies/mine/runs/miiii-seed0"])
def test_a_page_without_its_last_slash_leads_to_it(server, path):
    status, headers, body = ask(server, path)
    assert (status, headers["Location"], body) == (301, f"{path.rpartition('/')[2]}/", "")
    assert ask(server, f"{path}/")[0] == 200


def test_a_killed_runs_page_says_what_its_history_says(server, folder):
    directory = RunDirectory(folder / "runs" / "plain")
    before = directory.status
    directory.write_status({**before, "state": "running", "epoch": 1, "solved": []})
    try:
        body = ask(server, "/runs/plain/")[2]
    finally:
        directory.write_status(before)
    assert "24 of 24" in body
    assert "1 of 24" not in body
