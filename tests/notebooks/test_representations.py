"""Records show themselves in a notebook: well-formed, escaped, and with the right numbers."""

from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import miiii
from miiii import History, markup
from miiii.analysis.certificate.certify import Certificate, TaskCertificate
from miiii.claims.ledger import Ledger

HOSTILE = '<script>alert("x")</script>&\'</td>'
VOID = {"rect", "path", "image", "br", "img"}


class Reader(HTMLParser):
    """Rows of cells as text; fails where tags do not nest."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.rows, self.tags, self.bold = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            if "font-weight:bold" in dict(attrs).get("style", ""):
                self.bold.append(len(self.rows) - 1)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data


def read(html):
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert not reader.open
    return reader


def history(epochs=6, moduli=(2, 3)):
    count = len(moduli)
    accuracy = np.linspace(0.1, 1.0, epochs)[:, None] * np.ones(count)
    epoch = np.arange(1, epochs + 1)
    weights = np.zeros((epochs, 1))
    asked = np.full(epochs, 1000)
    measured = (epoch, 1 - accuracy, accuracy, weights, epoch, 1 - accuracy, accuracy)
    return History(moduli, ("w",), *measured, asked, asked)


@given(
    st.lists(st.lists(st.text(max_size=8), min_size=2, max_size=2), max_size=4),
)
def test_any_text_survives_a_table(rows):
    # What a parser of HTML may not keep: line ends, and NUL.
    clean = [[cell.replace("\r", "").replace("\0", "") for cell in row] for row in rows]
    assert read(markup.table(("a", HOSTILE), clean)).rows[1:] == clean
    assert read(markup.table(("a", HOSTILE), clean)).rows[0][1] == HOSTILE


def test_a_row_of_another_length_is_refused():
    with pytest.raises(ValueError, match="row 0 has 1 cells: expected 2"):
        markup.table(("a", "b"), [("1",)])


def test_a_configuration_shows_what_is_not_the_default():
    config = miiii.replace_fields(miiii.Config(), width=64, seed=5)
    reader = read(config._repr_html_())
    rows = {row[1]: row[2] for row in reader.rows[1:]}
    assert rows["width"] == "64"
    assert rows["seed"] == "5"
    assert rows["base"] == "113"
    bold = {reader.rows[index][1] for index in reader.bold}
    assert bold == {"width", "seed"}
    assert "the defaults" in miiii.Config()._repr_html_()


def test_a_history_shows_every_task_and_its_curve():
    reader = read(history()._repr_html_())
    assert reader.rows[1] == ["2", "100.0 %", "100.0 %", "0", "6"]
    assert [row[0] for row in reader.rows[1:3]] == ["2", "3"]
    assert "svg" in reader.tags
    assert "script" not in reader.tags
    picture = ElementTree.fromstring(history()._repr_svg_())
    assert picture.tag.endswith("svg")


def test_a_history_without_epochs_and_one_of_a_real_number_say_so():
    assert "nothing was trained" in history(0)._repr_html_()
    assert history(0)._repr_svg_() is None
    real = history(moduli=(1,))
    assert real._repr_svg_() is None
    assert read(real._repr_html_()).rows[1][:3] == ["1", "–", "–"]


def test_a_ledger_shows_verdicts_and_escapes_reasons():
    claim = SimpleNamespace(claim=HOSTILE, beyond=False)
    finding = SimpleNamespace(
        id="C1",
        claim=claim,
        answer="undecided",
        reason="a < b & c",
        verdict="undecided",
        under=None,
    )
    ledger = Ledger(HOSTILE, (finding,), (), {})  # pyright: ignore[reportArgumentType]
    reader = read(ledger._repr_html_())
    assert reader.rows[1] == ["C1", HOSTILE, "undecided", "a < b & c", "–"]
    assert "script" not in reader.tags


def test_a_run_shows_itself(tmp_path):
    config = miiii.replace_fields(
        miiii.get_preset("tiny"), base=7, width=8, heads=2, epochs=4, snapshots=0
    )
    miiii.start([config], ["shown"], tmp_path)
    run = miiii.load_run("shown", tmp_path)
    reader = read(run._repr_html_())
    assert {"svg", "details", "table"} <= set(reader.tags)
    assert "Run shown" in run._repr_html_()
    assert "finished, epoch 4 of 4" in run._repr_html_()
    shares = [row[2] for row in reader.rows if row and row[0] in ("2", "3", "5")]
    expected = run.history.validation_accuracy[-1]
    assert shares == [f"{100 * share:.1f} %" for share in expected]


def test_a_certificate_shows_what_is_proved():
    # Two tasks on p² = 4 numbers: one right with room to spare, one wrong at a number.
    def task(modulus, margin):
        zeros = np.zeros(4, np.int64)
        bound = np.full(4, 0.1)
        return TaskCertificate(modulus, zeros, zeros, np.array(margin), (bound, bound), None)

    made = Certificate(2, (task(2, [1.0, 2.0, 3.0, 0.5]), task(3, [1.0, -2.0, 3.0, 4.0])), (0.1,))
    rows = read(made._repr_html_()).rows[1:]
    assert rows == [["2", "0", "0.5", "0.1", "yes"], ["3", "1", "-2", "0.1", "no"]]
    assert "1 of 2 tasks on all 4 numbers" in made._repr_html_()


def test_an_outcome_shows_runs_and_problems():
    outcome = miiii.Outcome("failed", (Path(f"runs/{HOSTILE}"),), 1200, ("run a: not finite",))
    reader = read(outcome._repr_html_())
    assert reader.rows[1:] == [[str(Path(f"runs/{HOSTILE}"))], ["run a: not finite"]]
    assert "1,200 epochs" in outcome._repr_html_()


def test_a_drawing_escapes_what_it_is_told():
    drawing = miiii_draw([[1.0]], title=HOSTILE)
    assert "script" not in read(drawing._repr_html_()).tags
    assert ElementTree.fromstring(drawing._repr_svg_()).tag.endswith("svg")


def miiii_draw(values, **options):
    from miiii import esch

    return esch.draw("h w", values, **options)
