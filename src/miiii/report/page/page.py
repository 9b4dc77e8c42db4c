"""The report: a study's claims, curves, pictures, figures and settings on one page.

The page is one file without links to other hosts: pictures are data URIs, and it has style and
script inside.
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from miiii.claims.ledger import Ledger
from miiii.claims.rules.paper import LEAST_SEEDS
from miiii.claims.rules.published import PUBLISHED_BASE
from miiii.esch.about import About
from miiii.report.page.cards import MARKS, Link, claim_cards
from miiii.report.page.charts import Chart, EpochAxis, charts
from miiii.report.page.gallery import image_uri, table_html
from miiii.report.page.settings import study_settings
from miiii.report.page.slider import Moving
from miiii.report.page.templating import render
from miiii.report.page.through_time import ThroughTime, through_time
from miiii.report.pictures.catalogue import BESIDE, CATALOGUE, CIRCUITS, Entry
from miiii.report.pictures.making import about_pictures
from miiii.report.pictures.picture import Picture, heading_of, label_of
from miiii.report.pictures.sources import Look, Sources, origin, plural, study_sources
from miiii.results.paper import MissingInputError, Results
from miiii.runs.atomic import make_directory, write_atomically
from miiii.studies.plan import EXPERIMENTS

if TYPE_CHECKING:
    from miiii.experiment.run import Run
    from miiii.studies.study import Study

Progress = Callable[[str], None]
"""Called with the name of each part when it is done."""

SEEN_INSIDE = ("miiii", "nanda", "basis")
"""Experiments with pictures of the model under the slider; others have only the curves."""

ENTRIES = (*CATALOGUE, *CIRCUITS)
"""Entries below the claims: the paper's figures and tables, then the circuits."""


@dataclass(frozen=True)
class View:
    """One run under the slider."""

    name: str
    label: str
    origin: str
    note: str
    tasks: tuple[str, ...]
    last: str
    """The last epoch."""
    axis: EpochAxis
    charts: tuple[Chart, ...]
    pictures: tuple[Moving, ...]
    moments: Mapping[str, Any]
    """Data of the script: epochs, places, texts and sheets."""


@dataclass(frozen=True)
class Card:
    """One figure or table."""

    picture: Picture
    label: str
    """Figure 4, or Table 1."""
    image: str
    """Its data URI; "" for a table."""
    table: str
    """The table's HTML; "" for a drawing."""
    downloads: tuple[tuple[str, str], ...]
    """(file ending, data URI) of a table's forms."""
    claims: tuple[str, ...]
    """Ids of the claims that it is evidence for."""

    @property
    def title(self) -> str:
        """The picture's title, with a remark that tells lines from squares."""
        return self.picture.title + (", as lines" if self.picture.name.endswith("-lines") else "")

    @property
    def ending(self) -> str:
        """File ending of the drawing."""
        return "svg" if self.image.startswith("data:image/svg") else "png"

    @property
    def size(self) -> str:
        """File size of the drawing."""
        return f"{len(self.image) * 3 // 4 // 1000 or 1} kB"


def write_report(
    study: "Study",
    ledger: Ledger,
    path: Path,
    *,
    progress: Progress | None = None,
    command: Sequence[str] = (),
) -> Path:
    """Write the page.

    Args:
        study: some of its runs may be missing; the page lists what could not be drawn.
        ledger: of the study.
        path: of the page; its directory is created where missing.
        progress: called with the name of each part when it is done.
        command: the command line, for the pictures' metadata.

    Returns:
        The path.

    Raises:
        RunError: a run is damaged, or its settings are not those of the study.
        StorageError: the page cannot be written.
    """
    done = progress or (lambda _: None)
    runs = study.runs()
    results = {key: Results(group[0]) for key, group in runs.items()}
    views = []
    for key, one in results.items():
        try:
            views.append(_view(key, one))
        except MissingInputError:
            continue  # a regression
        done(f"through training: {one.run.name}")
    moments = {view.name: view.moments for view in views}
    about = about_pictures(command, [(it.run.name, it.run.provenance) for it in results.values()])
    cards, missing = _figures(study_sources(results), ledger, about, done)
    text = render(
        "report/report.html.jinja",
        study=study,
        facts=_facts(runs),
        least_seeds=LEAST_SEEDS,
        claims=claim_cards(ledger, _evidence(cards, missing)),
        groups=[(heading, [it.id for it in findings]) for heading, findings in ledger.groups],
        standing=ledger.standing,
        counts=ledger.counts,
        marks=MARKS,
        views=views,
        viewed={key: one.run.name for key, one in results.items() if one.run.name in moments},
        moments=moments,
        cards=cards,
        missing=missing,
        settings=study_settings(study, runs),
    )
    make_directory(path.parent)
    write_atomically(path, text.encode())
    done("page")
    return path


def _facts(runs: "Mapping[str, Sequence[Run]]") -> str:
    """The training of the study in one sentence."""
    every = [run for group in runs.values() for run in group]
    if not every:
        return "There are no runs yet."
    first = every[0]
    task, model = first.config.task, first.config.model
    counts = sorted({len(group) for group in runs.values()})
    seeds = f"{counts[0]} to {counts[-1]} seeds" if len(counts) > 1 else plural(counts[0], "seed")
    devices = dict.fromkeys((run.provenance.get("device") or {}).get("platform") for run in every)
    parts = [
        f"p = {task.base}",
        plural(len(task.task_moduli), "task"),
        f"d = {model.width}",
        f"{plural(len(every), 'run')} of {plural(len(runs), 'experiment')}, {seeds} each",
        f"up to {max(int(run.status['epoch']) for run in every):,} epochs",
        f"trained on {' and '.join(str(device) for device in devices if device)}",
    ]
    return ", ".join(parts) + "."


def _view(key: str, results: Results) -> View:
    run = results.run
    inside = key in SEEN_INSIDE
    moving = through_time(results, pictures=inside)
    axis, drawn = charts(results.curves)
    what = EXPERIMENTS[key].label if key in EXPERIMENTS else key
    note = ""
    if not inside:
        note = "The report does not draw the model of this run."
    elif not moving.pictures:
        note = "This run has no snapshots, so that its model cannot be drawn."
    return View(
        name=run.name,
        label=f"{key}: {what}, seed {run.config.seed}",
        origin=origin(results),
        note=note,
        tasks=results.curves.labels,
        last=f"{axis.last:,}",
        axis=axis,
        charts=drawn,
        pictures=moving.pictures,
        moments=_moments(moving, axis),
    )


def _moments(moving: ThroughTime, axis: EpochAxis) -> dict[str, Any]:
    texts: dict[str, Sequence[str]] = {"summary": moving.summary}
    for name, values in (
        ("train", moving.train_accuracy),
        ("validation", moving.validation_accuracy),
    ):
        for task, column in enumerate(values.T):
            texts[f"{name}-{task}"] = ["–" if np.isnan(v) else f"{v:.2f}" for v in column]
    rows = [row for picture in moving.pictures for row in picture.rows]
    for row in rows:
        texts |= {f"{row.kind}-{panel}": each for panel, each in enumerate(row.texts)}
    return {
        "epochs": moving.epochs,
        "places": [round(axis.place(epoch), 4) for epoch in moving.epochs],
        "texts": texts,
        "sheets": {row.kind: row.sheet.uri for row in rows},
    }


def _figures(
    sources: Sources, ledger: Ledger, about: About, done: Progress
) -> tuple[list[Card], list[tuple[str, str, str]]]:
    """The cards, and (anchor, label, reason) for each entry that could not be drawn."""
    look = Look()
    cards: list[Card] = []
    missing: list[tuple[str, str, str]] = []
    for entry in (*(BESIDE if _is_published(sources) else ()), *ENTRIES):
        label = heading_of(entry.number)
        claims = tuple(
            finding.id
            for finding in ledger.findings
            if entry.number in map(str, finding.claim.figures)
        )
        try:
            for picture in entry.draw(_seen_by(entry, sources), look):
                cards.append(_card(picture, label, claims, look, about))
        except MissingInputError as error:
            # The rest of the message is the remedy on the command line.
            reason = str(error).partition(": give ")[0]
            missing.append((f"missing-{entry.number}", label, f"{entry.about}; {reason}"))
        done(label_of(entry.number))
    return cards, missing


def _is_published(sources: Sources) -> bool:
    """Whether there is a run at the p of the paper's published figures."""
    return sources.main is not None and sources.main.run.config.task.base == PUBLISHED_BASE


def _seen_by(entry: Entry, sources: Sources) -> Sources:
    """The runs for an entry; the main run of the entry on addition is T_nanda's."""
    if entry is CIRCUITS[-1] and sources.nanda is not None:
        return Sources(main=sources.nanda)
    return sources


def _card(picture: Picture, label: str, claims: tuple[str, ...], look: Look, about: About) -> Card:
    if not isinstance(picture.drawing, Mapping):
        return Card(picture, label, image_uri(picture, look.style, about), "", (), claims)
    downloads = tuple(
        (ending, "data:text/plain;charset=utf-8;base64," + base64.b64encode(text.encode()).decode())
        for ending, text in picture.drawing.items()
    )
    return Card(picture, label, "", table_html(picture.drawing["csv"]), downloads, claims)


def _evidence(
    cards: Sequence[Card], missing: Sequence[tuple[str, str, str]]
) -> dict[int, list[Link]]:
    """By figure of the paper, links to it on the page, or to the reason why it is missing."""
    found: dict[int, list[Link]] = {}
    for card in cards:
        if card.picture.number.isdigit():
            link = Link(f"{card.label}: {card.title}", card.picture.name)
            found.setdefault(int(card.picture.number), []).append(link)
    for anchor, label, _ in missing:
        number = anchor.removeprefix("missing-")
        if number.isdigit():
            found.setdefault(int(number), []).append(Link(f"{label} (not drawn)", anchor))
    return found
