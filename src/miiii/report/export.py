"""A study's results as a small folder for a repository: ledger, tasks, figures, settings."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from miiii.claims.ledger import Ledger
from miiii.claims.rules.paper import GENERALISED_AT
from miiii.claims.rules.published import PUBLISHED_BASE, PUBLISHED_FIRST
from miiii.markup import csv_text, markdown_table
from miiii.report.kept import histories_npz, kept_measurements
from miiii.report.page.settings import reached_text, study_settings
from miiii.report.pictures.catalogue import choose
from miiii.report.pictures.making import about_pictures
from miiii.report.pictures.picture import Picture, save, svg_text
from miiii.report.pictures.sources import Look, study_sources
from miiii.results.paper import MissingInputError, Results
from miiii.runs.atomic import make_directory, write_atomically
from miiii.runs.jsonfiles import encode_json
from miiii.studies.plan import EXPERIMENTS
from miiii.studies.study import FILE_NAME, Study

if TYPE_CHECKING:
    from miiii.experiment.run import Run

FIGURES = ("4", "4P", "8P", "6", "7", "8", "10", "11", "16", "24")
"""The figures that are evidence for the paper's claims."""
LARGEST_SVG = 300_000
"""Bytes; a larger drawing is written as PNG."""
FROM_HISTORY = ("4", "4P", "8P", "24")
"""Figures of a study whose T_miiii still trains: those that need no analysis of weights."""
LARGEST_UNFINISHED = 100_000
"""Most bytes of a drawing while T_miiii still trains, since each version adds to the repository."""


def export_study(
    study: Study,
    ledger: Ledger,
    directory: Path,
    *,
    figures: Sequence[str] = FIGURES,
    progress: Callable[[str], None] = lambda _: None,
    command: Sequence[str] = (),
) -> list[Path]:
    """Write a study's results into a folder.

    Files: README.md (tables of everything), ledger.json, ledger.md, tasks.csv, study.toml, figures,
    histories.npz (thinned) and measurements.json (the input of the ledger). Unfinished runs are
    included up to their last epoch, with a note.

    Args:
        study: some of its runs may be missing; they are listed as such.
        ledger: of the study.
        directory: created where missing.
        figures: numbers of the figures.
        progress: called with the name of each part when it is done.
        command: the command line, for the figures' metadata.

    Returns:
        The files, README.md first.

    Raises:
        RunError: a run is damaged, or a file cannot be written.
    """
    runs = study.runs()
    make_directory(directory)
    drawn = _draw(runs, directory, figures, progress, command)
    texts = {
        "README.md": _readme(study, ledger, runs, drawn),
        "ledger.json": ledger.to_json() + "\n",
        "ledger.md": ledger.to_markdown(),
        "tasks.csv": tasks_csv(runs),
        FILE_NAME: (study.path / FILE_NAME).read_text(encoding="utf-8"),
    }
    contents = {name: text.encode() for name, text in texts.items()}
    contents |= {
        "histories.npz": histories_npz(runs),
        "measurements.json": encode_json(kept_measurements(runs)),
    }
    for name, content in contents.items():
        write_atomically(directory / name, content)
    return [*(directory / name for name in contents), *(path for _, path in drawn)]


def task_rows(
    runs: "Mapping[str, Sequence[Run]]", *, ends: bool = True
) -> tuple[list[str], list[list[str]]]:
    """A row per modulus of T_miiii: for each run the epoch from which it holds, and its accuracy.

    Args:
        runs: by experiment; those of other tasks are left out.
        ends: whether there are columns with the accuracies at the last epoch.

    Returns:
        The columns' names, and the rows.
    """
    several = [
        run
        for group in runs.values()
        for run in group
        if run.config.task.task == "miiii" and len(run.history.validation_epoch)
    ]
    if not several:
        return ["modulus"], []
    published = several[0].config.task.base == PUBLISHED_BASE
    moduli = several[0].history.moduli
    head = ["modulus"]
    if published:
        head.append("paper")
    for run in several:
        head += [f"{run.name} holds from", f"{run.name} ends at"] if ends else [run.name]
    held = [run.history.first_reached(GENERALISED_AT, held=True) for run in several]
    rows = []
    for column, modulus in enumerate(moduli):
        row = [str(modulus)]
        if published:
            row.append(str(PUBLISHED_FIRST.get(modulus, "")))
        for run, epochs in zip(several, held, strict=True):
            row.append(str(epochs[modulus] or ""))
            if ends:
                row.append(f"{run.history.validation_accuracy[-1, column]:.4f}")
        rows.append(row)
    return head, rows


def tasks_csv(runs: "Mapping[str, Sequence[Run]]") -> str:
    """`task_rows` as CSV."""
    return csv_text(*task_rows(runs))


def _draw(
    runs: "Mapping[str, Sequence[Run]]",
    directory: Path,
    figures: Sequence[str],
    progress: Callable[[str], None],
    command: Sequence[str],
) -> list[tuple[Picture, Path]]:
    sources = study_sources({key: Results(group[0]) for key, group in runs.items()})
    look = Look()
    about = about_pictures(command, sources.provenances())
    main = sources.main.run if sources.main is not None else None
    unfinished = main is not None and main.status.get("state") != "finished"
    drawn = []
    for entry in choose(figures) if figures else ():
        if unfinished and entry.number not in FROM_HISTORY:
            continue
        try:
            for picture in entry.draw(sources, look):
                if isinstance(picture.drawing, Mapping):
                    path = directory / f"{picture.name}.csv"
                    write_atomically(path, picture.drawing["csv"].encode())
                    drawn.append((picture, path))
                    continue
                text = svg_text(picture, look.style, about)
                if unfinished and len(text) > LARGEST_UNFINISHED:
                    continue
                ending = "svg" if len(text) <= LARGEST_SVG else "png"
                path = directory / f"{picture.name}.{ending}"
                save(picture.drawing, path, look.style, about)  # pyright: ignore[reportArgumentType]
                drawn.append((picture, path))
        except MissingInputError:
            continue  # the README lists the missing run as not obtained
        progress(f"figure {entry.number}")
    return drawn


def _readme(
    study: Study,
    ledger: Ledger,
    runs: "Mapping[str, Sequence[Run]]",
    drawn: Sequence[tuple[Picture, Path]],
) -> str:
    settings = study_settings(study, runs)
    lines = [f"# Results of the study {study.name}", "", ledger.summary, ""]
    if ledger.standing:
        lines += [f"{ledger.standing[:1].upper()}{ledger.standing[1:]}.", ""]
    if settings.command:
        lines += [f"Made by `{settings.command}`.", ""]
    versions = ", ".join(f"{name} {version}" for name, version in settings.versions)
    lines += [f"Versions: {versions}. {'; '.join(settings.platforms + settings.conditions)}.", ""]
    if settings.changed:
        lines += [f"Runs that went on under other conditions: {settings.changed}.", ""]
    lines += [f"- {name}: {line}" for name, line in settings.resumed]
    lines += [""] * bool(settings.resumed)
    lines += ["## Runs", "", *markdown_table(*_run_rows(study, runs)), ""]
    head, rows = task_rows(runs, ends=False)
    lines += [
        "## Tasks",
        "",
        f"Epoch from which each task's validation accuracy holds {GENERALISED_AT:g} for good; "
        "empty: it does not. The accuracies at the last epoch: [tasks.csv](tasks.csv)."
        + (" Paper: first epoch at 0.9 in its Figure 4, ±6 %." if "paper" in head else ""),
        "",
        *markdown_table(head, rows),
        "",
        "## Claims",
        "",
        "Rules, statistics and evidence: [ledger.md](ledger.md).",
        "",
        *markdown_table(
            ["claim", "verdict", "judged under", "what is claimed", "why"],
            [
                [
                    *(one.id, one.answer, one.under.text if one.under else "–"),
                    *(one.claim.claim, one.reason),
                ]
                for one in ledger.findings
            ],
        ),
        "",
        "## Figures",
        "",
    ]
    for picture, path in drawn:
        if isinstance(picture.drawing, Mapping):
            lines += [picture.drawing["md"], f"*{picture.caption}*", ""]
            continue
        lines += [f"![{picture.title}]({path.name})", "", f"*{picture.caption}*", ""]
    return "\n".join(lines).rstrip() + "\n"


def _run_rows(
    study: Study, runs: "Mapping[str, Sequence[Run]]"
) -> tuple[list[str], list[list[str]]]:
    """All planned runs with their last epoch."""
    there = {run.name: run for group in runs.values() for run in group}
    rows = []
    for planned in study.plan.runs:
        run, wanted = there.get(planned.name), planned.config.training.epochs
        what = EXPERIMENTS[planned.experiment].label if planned.experiment in EXPERIMENTS else ""
        if run is None:
            rows.append([planned.name, what, "not obtained", ""])
            continue
        accuracy = float(run.history.validation_accuracy[-1].mean())
        state = reached_text(run.status, wanted)
        shown = "" if run.config.task.is_regression else f"{accuracy:.4f}"
        rows.append([planned.name, what, state, shown])
    return ["run", "what", "epochs", "mean validation accuracy"], rows
