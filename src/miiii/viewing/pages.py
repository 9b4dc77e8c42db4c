"""The pages: an index of runs and studies, a run with its curves, a study with its report."""

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, PrefixLoader
from numpy.typing import NDArray

from miiii.analysis.parts.curves import Curves
from miiii.experiment.history import stored_history
from miiii.experiment.members import written_config
from miiii.report.page.charts import charts
from miiii.report.page.templating import environment
from miiii.results.curves import history_curves
from miiii.runs.directory import RunDirectory, RunSummary, list_runs
from miiii.runs.errors import RunError
from miiii.runs.listing import STATUS_NAME, ending_text, live_state, summarize
from miiii.runs.measured import History
from miiii.runs.text import percent
from miiii.runs.thresholds import HELD, SOLVED, dated
from miiii.studies.study import RUNS_NAME, study_names
from miiii.viewing.places import DRAWN, Place, Roots, is_shown, lies_inside
from miiii.viewing.reports import Reports, fingerprint

POLICY = '<meta http-equiv="Content-Security-Policy"'
"""Start of the report's policy. The server's policy replaces it, because the report's forbids the
requests by which the page looks for a newer version."""


@dataclass(frozen=True)
class RunLine:
    """A run in a list of runs."""

    name: str
    state: str
    task: str
    epochs: str
    validation: str
    solved: str
    saved: str


@dataclass(frozen=True)
class TaskLine:
    """A task in a run's table."""

    label: str
    train: str
    validation: str
    loss: str
    solved: str
    held: str


class Pages:
    """The pages that the server sends.

    Args:
        roots: the directories that may be read.
        folder: holds the reports while the server runs.
    """

    def __init__(self, roots: Roots, folder: Path) -> None:
        self.roots = roots
        self.reports = Reports(folder)

    def version(self, place: Place) -> str:
        """A text that changes when the page's content changes."""
        if place.kind == "index":
            studies = [self.roots.studies / name / RUNS_NAME for name in self._studies()]
            parts = [fingerprint(folder) for folder in (self.roots.runs, *studies)]
            return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:16]
        if place.kind == "run":
            files = [place.path / STATUS_NAME]
            files += [place.path / name / "index.html" for name in DRAWN]
            return fingerprint(place.path / "history", files)
        if place.kind == "study-runs":
            return fingerprint(place.path / RUNS_NAME)
        made = self.reports.look(place.path)
        if made.shown:
            return f"report {made.shown}"
        return f"{fingerprint(place.path / RUNS_NAME)} {made.last_line} {made.problem}"

    def page(self, place: Place) -> str:
        """The page as HTML.

        Raises:
            RunError: the run cannot be read.
        """
        version = self.version(place)
        if place.kind == "index":
            runs = _lines(self.roots.runs)
            return self._render(
                "index.html.jinja",
                title="Runs and studies",
                version=version,
                up=(),
                runs=runs,
                # Links to runs elsewhere are not shown.
                hidden=len(list_runs(self.roots.runs)) - len(runs),
                runs_dir=str(self.roots.runs),
                studies=[
                    (name, len(list_runs(self.roots.studies / name / RUNS_NAME)))
                    for name in self._studies()
                ],
                studies_dir=str(self.roots.studies),
            )
        if place.kind == "run":
            return self._run(place.path, version)
        if place.kind == "study-runs":
            return self._study(place.path, version, "", listed=True)
        return self._report(place.path, version)

    def _studies(self) -> list[str]:
        root = self.roots.studies
        return [name for name in study_names(root) if lies_inside(root / name, root)]

    def _report(self, study: Path, version: str) -> str:
        made = self.reports.look(study)
        if not made.shown:
            note = made.problem or f"The report is being made: {made.last_line or 'it starts'}"
            return self._study(study, version, note)
        text = made.output.read_text(encoding="utf-8")
        before, found, after = text.partition(POLICY)
        if found:
            text = before + after.partition(">")[2]
        # `version` may be older than the report: `look` can have finished one since.
        live = self._render("live.html.jinja", version=f"report {made.shown}")
        text = text.replace("<title>", '<link rel="icon" href="data:,">\n<title>', 1)
        head, end, rest = text.rpartition("</body>")
        return head + live + end + rest

    def _study(self, study: Path, version: str, report: str, *, listed: bool = False) -> str:
        return self._render(
            "study.html.jinja",
            title=f"Study {study.name}",
            version=version,
            up=(("../../../" if listed else "../../", "all runs and studies"),),
            runs=_lines(study / RUNS_NAME),
            at="../" if listed else "",
            report=report,
        )

    def _run(self, path: Path, version: str) -> str:
        directory, summary = RunDirectory(path), summarize(path)
        problem, history, found = summary.problem or "", None, None
        try:
            config = written_config(directory)
            history = stored_history(directory, config)
            found = history_curves(config, history) if len(history.epoch) else None
        except (RunError, ValueError) as error:
            problem, config = str(error), None
        axis, drawn = charts(found) if found else (None, ())
        study = path.parent.parent.name if path.parent.name == RUNS_NAME else ""
        # Links are relative, so that the pages work behind a proxy that adds a prefix to paths.
        up = [("../../", "all runs and studies")]
        if study and path.parent.resolve() != self.roots.runs.resolve():
            up = [("../../../../", "all runs and studies"), ("../../", f"study {study}")]
        return self._render(
            "run.html.jinja",
            title=f"Run {path.name}",
            version=version,
            up=tuple(up),
            line=_of_history(_line(summary), history),
            problem=problem,
            axis=axis,
            charts=drawn,
            labels=found.labels if found else (),
            tasks=_tasks(found, history) if found and history else (),
            levels=(SOLVED, HELD),
            galleries=[name for name in DRAWN if (path / name / "index.html").is_file()],
            settings=directory.config_text if config else "",
        )

    def _render(self, template: str, **parts: Any) -> str:
        return self._environment.get_template(f"viewing/{template}").render(**parts)

    @cached_property
    def _environment(self) -> Environment:
        rooms = {
            "viewing": PackageLoader("miiii.viewing", "templates"),
            "report": PackageLoader("miiii.report", "templates/report"),
        }
        return environment(PrefixLoader(rooms))


def _lines(runs: Path) -> list[RunLine]:
    return [_line(summary) for summary in list_runs(runs) if is_shown(summary.path)]


def _of_history(line: RunLine, history: History | None) -> RunLine:
    """The line with its history's numbers, which can be newer than a killed run's status."""
    if history is None or not len(history.epoch):
        return line
    _, of, last_epoch = line.epochs.partition(" of ")
    line = replace(line, epochs=f"{history.epoch[-1]:,}{of}{last_epoch}")
    if not len(history.validation_epoch):
        return line
    mean = float(history.validation_accuracy[-1].mean())
    solved = history.reached(SOLVED)[-1].sum()
    return replace(line, validation=percent(mean, ""), solved=str(solved))


def _line(summary: RunSummary) -> RunLine:
    status = summary.status
    epochs, solved = status.get("epochs"), status.get("solved")
    done = "" if summary.epoch is None else f"{summary.epoch:,}"
    return RunLine(
        name=summary.name,
        state=live_state(summary) + (" (stopping rule)" if ending_text(status) else ""),
        task=", ".join(
            f"{word}{status[name]}"
            for name, word in (("task", ""), ("base", "p = "), ("seed", "seed "))
            if name in status
        ),
        epochs=f"{done} of {epochs:,}" if isinstance(epochs, int) else done,
        validation=percent(status.get("validation_accuracy"), ""),
        solved=str(len(solved)) if isinstance(solved, list) else "",
        saved=str(summary.heartbeat or "")[:19].replace("T", " "),
    )


def _tasks(found: Curves, history: History) -> list[TaskLine]:
    solved, held = history.first_reached(SOLVED), history.first_reached(HELD, held=True)
    lines = []
    for column, (label, modulus) in enumerate(zip(found.labels, history.moduli, strict=True)):
        values, loss = history.validation_accuracy[:, column], history.validation_loss[:, column]

        def date_text(epoch: int | None, values: NDArray[Any] = values) -> str:
            return "" if epoch is None else dated(epoch, history.validation_epoch, values)

        lines.append(
            TaskLine(
                label=label,
                train=percent(history.train_accuracy[-1, column], ""),
                validation=percent(values[-1] if len(values) else None, ""),
                loss=f"{loss[-1]:.3g}" if len(loss) else "",
                solved=date_text(solved[modulus]),
                held=date_text(held[modulus]),
            )
        )
    return lines
