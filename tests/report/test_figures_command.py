"""`miiii figures` from the command line, on runs that take a second to train."""

import base64
import csv
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from command import SMALLEST, call_here
from wording import says

pytestmark = pytest.mark.slow

ALL = {str(number) for number in range(1, 25)} | {"T1", "T2"}
MODEL_FREE = {"1", "2", "3", "19", "T1", "T2"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A directory with one run per part."""
    folder = tmp_path_factory.mktemp("figures")
    parts = {
        "main": (),
        "nanda": ("--task", "nanda", "--dropout", "0"),
        "basis": ("--task", "basis"),
        "dry": ("--dropout", "0"),
        "unfiltered": ("--filter", "none"),
        "faster": ("--filter", "none", "--learning-rate", "4.5e-3"),
        "waves": ("--task", "waves", "--dropout", "0"),
        "bare": ("--snapshots", "0"),
    }
    for name, options in parts.items():
        done = call_here(["train", *SMALLEST, "--epochs", "40", "--name", name, *options], folder)
        assert done.returncode == 0, done.stderr
    return folder


class Page(HTMLParser):
    """What the gallery shows and where its links lead."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.images: list[str] = []
        self.links: list[str] = []
        self.identities: set[str] = set()
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if tag == "img":
            self.images.append(values["src"])
            assert values["alt"]
        if tag == "a":
            self.links.append(values["href"])
        if "id" in values:
            self.identities.add(values["id"])

    def handle_data(self, data):
        self.text += data


def figures(folder, *words):
    return call_here(["figures", *words], folder)


@pytest.fixture(scope="module")
def drawn(folder):
    words = ["main", "--compare", "nanda", "--baseline", "basis", "--no-dropout", "dry"]
    words += ["--filters", "unfiltered", "faster", "--waves", "waves", "--json"]
    done = figures(folder, *words, "--format", "svg")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def numbers(files):
    found = set()
    for name in files:
        match = re.match(r"(figure|table)-(\d+)", Path(name).name)
        assert match, name
        found.add(("T" if match[1] == "table" else "") + match[2])
    return found


def test_every_figure_and_table_is_drawn(drawn, folder):
    assert numbers(drawn["files"]) == ALL
    assert drawn["missing"] == {}
    for name in drawn["files"]:
        path = folder / name
        data = path.read_bytes()
        if path.suffix == ".svg":
            root = ElementTree.fromstring(data)
            assert root.tag.endswith("svg")
            assert len(data) < 6_000_000


@pytest.mark.thorough
def test_every_format_is_written(folder):
    words = ["main", "--only", "4,9,16", "--output-dir", "formats"]  # esch's and Matplotlib's
    done = figures(folder, *words, "--format", "svg,pdf,png")
    assert done.returncode == 0, done.stderr
    for suffix, begins in ((".svg", b"<"), (".pdf", b"%PDF"), (".png", b"\x89PNG")):
        files = sorted((folder / "formats").glob(f"figure-*{suffix}"))
        assert numbers([file.name for file in files]) == {"4", "9", "16"}
        assert all(file.read_bytes().startswith(begins) for file in files)


def test_the_gallery_holds_all_pictures_and_its_links_lead_somewhere(drawn, folder):
    path = folder / drawn["gallery"]
    text = path.read_text()
    assert "http://" not in re.sub(r"http://www\.w3\.org/\S+", "", text)
    assert "https://" not in text
    page = Page(text)
    drawings = {Path(name).stem for name in drawn["files"] if "table-" not in name}
    assert len(page.images) == len(drawings)
    for source in page.images:
        kind, data = source.split(";base64,")
        assert kind in ("data:image/svg+xml", "data:image/png")
        assert base64.b64decode(data)
    for link in page.links:
        if link.startswith("#"):
            assert link[1:] in page.identities
        else:
            assert (path.parent / link).is_file()


def test_captions_state_run_epoch_and_seed(drawn, folder):
    captions = (folder / drawn["gallery"]).with_name("captions.md").read_text()
    paragraphs = captions.split("\n\n")[1:]
    of_runs = [text for text in paragraphs if re.match(r"\*\*Figure (4|6|8|16|24):", text)]
    assert len(of_runs) >= 5
    for text in of_runs:
        assert "Run main: T_miiii, p = 7" in text
        assert "seed 0" in text
        assert "40 epochs" in text or "weights of epoch 40" in text
    (made,) = [text for text in paragraphs if text.startswith("Drawn by")]
    assert "`miiii figures main" in made
    assert f"Run main: `miiii train {' '.join(SMALLEST)} --epochs 40 --name main`" in made


def test_tables_read_back(drawn, folder):
    tables = [folder / name for name in drawn["files"] if "table-" in name]
    assert {path.suffix for path in tables} == {".md", ".tex", ".csv"}
    for path in tables:
        if path.suffix == ".csv":
            rows = list(csv.reader(path.read_text().splitlines()))
            assert len({len(row) for row in rows}) == 1


def test_what_is_missing_is_named_and_the_rest_is_drawn(folder):
    done = figures(folder, "main", "--only", "4,5,7,10", "--output-dir", "some")
    assert done.returncode == 1
    assert says(done.stdout, "figure 5 dropout --no-dropout")
    assert says(done.stdout, "figure 7 T_basis --baseline")
    written = [path.name for path in (folder / "some").iterdir()]
    assert numbers([name for name in written if name.startswith("figure")]) == {"4", "10"}
    assert "Not drawn" in (folder / "some" / "index.html").read_text()


def test_a_run_without_snapshots_lacks_only_what_needs_them(folder):
    done = figures(folder, "bare", "--only", "8,9", "--output-dir", "without")
    assert done.returncode == 1
    assert says(done.stdout, "figure 8 snapshots bare")
    assert list((folder / "without").glob("figure-9-*.svg"))


def test_without_a_model(folder):
    done = figures(folder, "--model-free", "--output-dir", "plain", "--json")
    assert done.returncode == 0, done.stderr
    assert numbers(json.loads(done.stdout)["files"]) == MODEL_FREE


def test_a_snapshot_can_be_chosen(folder):
    words = ["main", "--only", "10", "--output-dir", "early"]
    done = figures(folder, *words, "--epoch", "1")
    assert done.returncode == 0, done.stderr
    assert "weights of epoch 1," in (folder / "early" / "captions.md").read_text()
    done = figures(folder, *words, "--epoch", "39")
    assert done.returncode == 2
    assert says(done.stderr, "--epoch 39 main 0,1")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "run"),
        (["main", "--only", "25"], "--only '25' 1 24 T1"),
        (["main", "--format", "bmp"], "--format 'bmp' svg,pdf,png"),
        (["mian"], "'mian' 'main'"),
        (["main", "--compare", "basis"], "--compare basis T_basis T_nanda"),
        (["main", "--corner", "-1"], "--corner -1 0"),
    ],
)
def test_refusals(folder, words, message):
    done = figures(folder, *words)
    assert done.returncode == 2
    assert says(done.stderr, message)
    assert len(done.stderr.strip().splitlines()) == 1
