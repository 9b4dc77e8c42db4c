"""Tables read back from what was written."""

import csv
import doctest
import io
import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from miiii.figures import numerals
from miiii.figures.numerals import latex_numeral, numeral
from miiii.figures.tables import (
    search_space_table,
    settings_table,
    to_csv,
    to_latex,
    to_markdown,
)
from miiii.sweeps.search.spaces import TABLE_1, TABLE_2
from wording import naming, says

OWN = {**TABLE_2, "weight_decay": 0.1, "width": 96, "learning_rate": 0.1 + 0.2}


def table_1():
    return search_space_table(TABLE_1.values, TABLE_1.symbols)


def table_2():
    return settings_table({"small_1 & co": OWN, "paper": TABLE_2}, TABLE_1.values, TABLE_1.symbols)


def read(text):
    """What a CSV holds: (row, field) to its values, and those outside the space."""
    values, outside = {}, set()
    for line in csv.DictReader(io.StringIO(text)):
        place = (line["row"], line["field"])
        values.setdefault(place, []).append(float(line["value"]))
        if line["in_search_space"] == "false":
            outside.add(place)
        assert line["symbol"] == TABLE_1.symbols[line["field"]]
    return values, outside


def markdown_rows(text):
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_csv_reads_back_to_the_same_numbers():
    values, outside = read(to_csv(table_1()))
    assert values == {("", name): list(tried) for name, tried in TABLE_1.values.items()}
    assert not outside
    values, outside = read(to_csv(table_2()))
    assert values == {
        (row, name): [settings[name]]
        for row, settings in (("small_1 & co", OWN), ("paper", TABLE_2))
        for name in TABLE_1.values
    }
    assert outside == {
        ("small_1 & co", "width"),
        ("small_1 & co", "learning_rate"),
        ("paper", "weight_decay"),
    }


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, unique=True))
def test_csv_keeps_every_float(numbers):
    found = to_csv(search_space_table({"width": np.array(numbers)}, TABLE_1.symbols))
    assert read(found)[0] == {("", "width"): numbers}


def test_markdown_prints_as_the_paper_does():
    head, rule, row = markdown_rows(to_markdown(table_1()))
    assert head == ["dropout", "λ", "wd", "d", "lr", "heads"]
    assert rule == ["---"] * 6
    assert row == [
        *("0, 1/2, 1/5, 1/10", "0, 1/2, 2", "0, 1/10, 1/2, 1"),
        *("128, 256", "3e-4, 1e-4", "4, 8"),
    ]
    assert "384 points" in to_markdown(table_1())
    head, rule, own, paper = markdown_rows(to_markdown(table_2()))
    assert len(head) == len(rule) == len(own) == len(paper) == 7
    assert own == [r"small\_1 & co", "1/10", "1/2", "1/10", r"96\*", r"3/10\*", "4"]
    assert paper == ["paper", "1/10", "1/2", r"1/3\*", "256", "3e-4", "4"]
    assert says(to_markdown(table_2()).splitlines()[-1], r"\* not Table 1")
    assert "Table 1" not in to_markdown(table_1())


@pytest.mark.parametrize("table", [table_1(), table_2()])
def test_latex_is_whole(table):
    text = to_latex(table)
    begun = re.findall(r"\\begin\{(\w+)\}", text)
    assert begun == ["table", "tabular"]
    assert re.findall(r"\\end\{(\w+)\}", text) == begun[::-1]
    for rule in ("toprule", "midrule", "bottomrule"):
        assert text.count(f"\\{rule}") == 1
    assert text.count("{") == text.count("}")
    assert text.count("$") % 2 == 0
    columns = re.search(r"\\begin\{tabular\}\{(\w+)\}", text)[1]
    lines = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert len(lines) == 1 + len(table.rows)
    for line in lines:
        assert len(re.findall(r"(?<!\\)&", line)) == len(columns) - 1
    # what is left outside mathematics has no bare special sign
    plain = re.sub(r"\$[^$]*\$", "", "\n".join(lines))
    assert not re.search(r"(?<!\\)[_#%^~]", plain)


def test_latex_says_what_markdown_says():
    text = to_latex(table_2())
    row = next(line for line in text.splitlines() if line.startswith("paper"))
    assert row == (
        r"paper & $\frac{1}{10}$ & $\frac{1}{2}$ & $\frac{1}{3}^{*}$ & $256$ & "
        r"$3 \times 10^{-4}$ & $4$ \\"
    )
    assert r" & dropout & $\lambda$ & wd & $d$ & lr & heads \\" in text
    assert r"small\_1 \& co & " in text
    assert says(text, "not Table 1")


@pytest.mark.parametrize("table", [table_1(), table_2()])
def test_latex_s_mathematics_can_be_set(table):
    from matplotlib.mathtext import MathTextParser

    found = re.findall(r"\$[^$]+\$", to_latex(table))
    assert len(found) >= 6
    for cell in found:
        assert MathTextParser("path").parse(cell).width > 0


@given(st.integers(-80, 80), st.integers(1, 10))
def test_fractions_are_exact(numerator, denominator):
    text = numeral(numerator / denominator)
    assert float(Fraction(text)) == pytest.approx(numerator / denominator, rel=1e-5)
    if abs(numerator) < 10 * denominator:
        assert Fraction(text) == Fraction(numerator, denominator)


@given(st.floats(-1e12, 1e12))
def test_numbers_are_near_what_is_written(value):
    assert float(Fraction(numeral(value))) == pytest.approx(value, rel=1e-5, abs=1e-300)


@pytest.mark.parametrize(
    ("value", "text", "latex"),
    [
        (1 / 3, "1/3", r"\frac{1}{3}"),
        (0.33, "0.33", "0.33"),
        (0.333333, "0.333333", "0.333333"),
        (-2.5, "-5/2", r"-\frac{5}{2}"),
        (np.float64(0.1), "1/10", r"\frac{1}{10}"),
        (256, "256", "256"),
        (1e-5, "1e-5", r"1 \times 10^{-5}"),
        (2.5e7, "2.5e7", r"2.5 \times 10^{7}"),
        (0, "0", "0"),
    ],
)
def test_examples_of_numbers(value, text, latex):
    assert (numeral(value), latex_numeral(value)) == (text, latex)


def test_the_docstring_s_example_holds():
    assert doctest.testmod(numerals) == (0, 1)


def test_refusals():
    with pytest.raises(ValueError, match=naming("values empty field")):
        search_space_table({}, {})
    with pytest.raises(ValueError, match=naming("symbols lack width")):
        search_space_table({"width": (1,)}, {})
    with pytest.raises(ValueError, match=naming("settings empty row")):
        settings_table({}, TABLE_1.values, TABLE_1.symbols)
    part = {name: value for name, value in TABLE_2.items() if name != "dropout"}
    with pytest.raises(ValueError, match=naming("settings 'own' lack dropout")):
        settings_table({"own": part}, TABLE_1.values, TABLE_1.symbols)
    with pytest.raises(ValueError, match=naming("value nan finite number")):
        numeral(float("nan"))
