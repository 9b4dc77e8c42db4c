"""Pictures and tables that need no run: Figures 1 to 3 and 19, Tables 1 and 2."""

from collections.abc import Iterator, Mapping

from miiii.analysis.harmonics.fourier import fourier_basis
from miiii.analysis.number_patterns import multiples, number_spaces, primes
from miiii.config.presets import get_preset
from miiii.figures import fourier_basis as basis_figures
from miiii.figures import numbers as number_figures
from miiii.figures import tables
from miiii.report.pictures.picture import Picture
from miiii.report.pictures.sources import Look, Sources
from miiii.sweeps.search.spaces import TABLE_1, TABLE_2, Value

BASE, SMALL_BASE = 113, 11
"""p of the paper, and of its Figures 2 and 3."""


def _numbers(settings: Mapping[str, Value]) -> dict[str, float]:
    return {name: float(value) for name, value in settings.items()}


_TRIED = {name: tuple(map(float, values)) for name, values in TABLE_1.values.items()}


def polar(sources: Sources, look: Look) -> Iterator[Picture]:
    """Figure 1."""
    del sources
    limit = BASE**2
    yield Picture(
        "1",
        "figure-1-polar",
        "Periodic patterns in polar coordinates",
        f"Each number n below {limit:,} at radius n and angle n radians. Left: remainder 0 mod 17 "
        "or 23. Middle: remainder 0 mod 11. Right: primes.",
        number_figures.number_spirals(
            [multiples(limit, (17, 23)), multiples(limit, (11,)), primes(limit)], style=look.style
        ),
    )


def input_space(sources: Sources, look: Look) -> Iterator[Picture]:
    """Figure 2."""
    del sources
    yield Picture(
        "2",
        "figure-2-input-space",
        f"Input space at p = {SMALL_BASE}",
        f"Cell (x0, x1) is the number n = x0 + {SMALL_BASE}·x1, from 0 at the top left to "
        f"{SMALL_BASE**2 - 1} at the bottom right; the square's area is n.",
        number_figures.input_space(number_spaces(SMALL_BASE), style=look.style),
    )


def output_space(sources: Sources, look: Look) -> Iterator[Picture]:
    """Figure 3."""
    del sources
    yield Picture(
        "3",
        "figure-3-output-space",
        f"Output space at p = {SMALL_BASE}",
        "n mod q for every prime q below p, and the modular addition of Nanda et al. (2023) beside "
        "them. A square's area is the remainder; each panel has a separate scale.",
        number_figures.output_space(number_spaces(SMALL_BASE), style=look.style),
    )


def dft_matrix(sources: Sources, look: Look) -> Iterator[Picture]:
    """Figure 19."""
    del sources
    for base in (SMALL_BASE, BASE):
        yield Picture(
            "19",
            f"figure-19-dft-matrix-{base}",
            f"Real DFT matrix of {base} points",
            "Rows: the constant, then cosine and sine of k cycles; orthonormal. Signs by colour, "
            "and by outlines where squares are large enough.",
            basis_figures.fourier_matrix(fourier_basis(base), style=look.style),
        )


def search_space(sources: Sources, look: Look) -> Iterator[Picture]:
    """Table 1."""
    del sources, look
    table = tables.search_space_table(_TRIED, TABLE_1.symbols)
    yield Picture(
        "T1",
        "table-1-search-space",
        "Hyperparameter search space",
        f"{TABLE_1.size} points. The weight decay of Table 2, 1/3, is not among them.",
        _forms(table),
    )


def settings(sources: Sources, look: Look) -> Iterator[Picture]:
    """Table 2."""
    del look
    main = sources.main
    name, own = (main.run.name, main.run.config) if main else ("preset paper", get_preset("paper"))
    rows = {name: _numbers(TABLE_1.read(own)), "the paper": _numbers(TABLE_2)}
    yield Picture(
        "T2",
        "table-2-settings",
        "Settings, beside the paper's",
        f"The six settings that the paper searched: of {name}, and as its Table 2 has them.",
        _forms(tables.settings_table(rows, _TRIED, TABLE_1.symbols)),
    )


def _forms(table: tables.Table) -> dict[str, str]:
    """The table as text, by file ending."""
    return {
        "md": tables.to_markdown(table),
        "tex": tables.to_latex(table),
        "csv": tables.to_csv(table),
    }
