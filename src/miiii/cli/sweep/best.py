"""`miiii sweep best`: the best run, its neighbours, and the importance of settings."""

import json
import shlex
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from miiii.cli.arguments import parse
from miiii.cli.command_line import train_words
from miiii.cli.sweep.text import (
    SweepArguments,
    absent_runs,
    direction_text,
    four_digits,
    missing_line,
    named,
    open_results,
    setting_text,
    where_option,
)
from miiii.cli.tables import print_table
from miiii.runs.conditions import batch_size
from miiii.runs.directory import RunDirectory
from miiii.runs.errors import DamagedFileError
from miiii.runs.text import percent

if TYPE_CHECKING:
    from miiii.sweeps.outcome.importance import Importances
    from miiii.sweeps.outcome.ranking import Neighbour
    from miiii.sweeps.outcome.results import RunRecord, SweepResults
    from miiii.sweeps.queue.sweep import Sweep


_SPREAD = """
share: how much more a setting's values among the best runs differ from those among all runs
than chance explains, as a share of the sum over all settings; by chance: the divergence that
one in a hundred random choices of runs exceeds. Effects of several settings together are not
measured."""
_FOLLOWED = """
share of variance: the share of the objective's variance over the whole space that the setting
explains by itself, estimated from all runs (functional ANOVA, main effects). among the best:
how much more its values among the best runs differ from those among all runs than chance
explains. The sampler followed the results and placed its runs where earlier ones were good: a
setting that it has narrowed down hardly differs among the best, however much it matters. Trust
the first column. Effects of several settings together are not measured."""
"""Notes below the importances: for runs spread over the space, and for a sampler that follows
results."""


@dataclass(frozen=True)
class BestArguments(SweepArguments):
    """The best run: its settings as a command, its neighbours, and which settings matter."""

    objective: str = ""
    """The sweep's objective to judge by; default: the only one, or with several all runs that no
    other beats in all of them."""
    json: bool = False
    """Print it as JSON on stdout."""


def best(words: list[str]) -> int:
    """Run `miiii sweep best`; returns the exit code."""
    arguments = parse(BestArguments, words, "miiii sweep best")
    sweep, results = open_results(arguments)
    from miiii.sweeps.outcome.ranking import choose_objective, neighbours, pareto_front, ranked

    place = choose_objective(results, arguments.objective)
    check_done(results)
    objectives = results.definition.objectives
    front = len(objectives) > 1 and not arguments.objective
    chosen = pareto_front(results) if front else ranked(results, place)[:1]
    places = range(len(objectives)) if front else [place]
    found, refused = _importances(results, places)
    near = [] if front else neighbours(results, chosen[0])
    absent = absent_runs(sweep, results)
    best_ones = [_run_record(sweep, results, run) for run in chosen]
    importance = [_importance_record(one) for one in found]
    if arguments.json:
        record: dict[str, Any] = {
            "sweep": results.name,
            "objectives": [objectives[each] for each in places],
            "done": len(results.done),
            "missing": missing_line(results, where_option(arguments)) or None,
            "absent": absent,
            "best": best_ones,
            "neighbours": [_neighbour_record(results, one) for one in near],
            "importance": importance,
            "not_computed": refused,
        }
        print(json.dumps(record, indent=2))
        return 0
    if front:
        _print_front(results, best_ones)
    else:
        _print_best(results, chosen[0], objectives[place])
        _print_command(best_ones[0], absent)
        _print_neighbours(chosen[0], place, objectives[place], near)
    if missing := missing_line(results, where_option(arguments)):
        print(f"\n{missing}")
    for one in importance:
        _print_importance(one)
    if found:
        print(_FOLLOWED if found[0].followed else _SPREAD)
    for reason in refused:
        print(f"\n{reason}")
    return 0


def check_done(results: "SweepResults") -> None:
    """Refuse results in which no run is done, with the counts of the other states."""
    if not results.done:
        counts = ", ".join(f"{count} {state}" for state, count in results.counts.items() if count)
        raise ValueError(
            f"sweep {results.name} has no run that is done yet ({counts or 'none was made'}): see "
            f"miiii sweep status {results.name}"
        )


def _importances(
    results: "SweepResults", places: Sequence[int]
) -> "tuple[list[Importances], list[str]]":
    """The importances for each objective, and the reasons for those that cannot be computed."""
    from miiii.sweeps.outcome.importance import importances

    found, refused = [], []
    for place in places:
        try:
            found.append(importances(results, place))
        except ValueError as error:
            refused.append(str(error))
    return found, list(dict.fromkeys(refused))


def _print_best(results: "SweepResults", run: "RunRecord", name: str) -> None:
    print(
        f"best of {results.name} by {name} ({direction_text(name)}): {run.run}, "
        f"of {len(results.done):,} done\n"
    )
    rows = [[name, setting_text(run.params[name])] for name in results.settings]
    rows += [[name, f"{each:.6g}"] for name, each in (named(results, run.values) or {}).items()]
    if run.accuracy is not None:
        rows.append(["validation accuracy", f"{percent(run.accuracy)} (mean over tasks)"])
    if run.solved is not None:
        rows.append(["tasks solved", str(run.solved)])
    print_table(["", ""], [*rows, ["epochs", f"{run.epochs:,}"]])


def _print_command(best: Mapping[str, Any], absent: Collection[str]) -> None:
    away = " (its weights are not here: it was trained elsewhere)" * (best["run"] in absent)
    print(f"\nthe run: {best['path']}{away}")
    if best["command"] is not None:
        print(f"train it again: {best['command']}")
        with suppress(DamagedFileError):  # Its directory may be on another machine.
            batch = batch_size(RunDirectory(Path(best["path"])).provenance)
            if batch > 1:
                differs = "by itself its numbers differ, first in the last bits"
                print(f"(it trained in a batch of {batch}: {differs})")


def _print_neighbours(
    run: "RunRecord", place: int, objective: str, near: "list[Neighbour]"
) -> None:
    if not near:
        print("\nno neighbours: no other run is done that differs in a setting")
        return
    own = _value(run, place)
    grid = any(one.exact for one in near)
    rows = []
    for one in near:
        value = _value(one.run, place)
        row = [
            one.setting,
            f"{setting_text(run.params[one.setting])} → {setting_text(one.value)}",
            f"{value:.4g}",
            f"{value - own:+.3g}",
            one.run.run,
            ", ".join(f"{name} ({setting_text(one.run.params[name])})" for name in one.also) or "-",
        ]
        rows.append([*row, one.exact if grid else f"{one.distance:.2f}"])
    print(f"\nneighbours: {_neighbour_heading(near)}\n")
    head = ["setting", "from → to", objective, "change", "run", "differs also in"]
    print_table([*head, "point itself" if grid else "distance"], rows)
    if not grid:
        print("\ndistance: in the other settings, from 0 to 1 (root mean square over their ranges)")
    print(
        "\nOne seed each: differences as small as those between seeds mean nothing (the command "
        "above\nwith --seeds 5 shows how large those are)."
    )


def _neighbour_heading(near: "list[Neighbour]") -> str:
    exact = sum(not one.also for one in near)
    if exact == len(near):
        return "the runs that differ in one setting"
    return (
        f"for every other value of one setting the nearest run that is done ({exact} of "
        f"{len(near)} differ in nothing else)"
    )


def _train_words(sweep: "Sweep", run: "RunRecord") -> list[str] | None:
    """The words that train a run; None if it belongs to a study that cannot be read here."""
    from miiii.runs.errors import RunError
    from miiii.studies.study import open_study

    study = sweep.definition.study
    try:
        plan = open_study(study, Path()) if study else None
        return train_words(sweep.settings(dict(run.params), plan))
    except (RunError, ValueError):
        return None


def _print_front(results: "SweepResults", front: Sequence[Mapping[str, Any]]) -> None:
    names = results.definition.objectives
    described = ", ".join(f"{name} ({direction_text(name)})" for name in names)
    print(f"best of {results.name} by {described}:")
    print(
        f"{len(front)} of {len(results.done):,} runs that no other beats in all objectives "
        "(--objective\nchooses one objective, with neighbours)\n"
    )
    rows = [
        [run["run"], *map(four_digits, run["values"].values())]
        + [setting_text(value) for value in run["params"].values()]
        for run in front
    ]
    print_table(["run", *names, *results.settings], rows)
    print()
    for run in front[:3]:
        if run["command"] is not None:
            print(f"train {run['run']} again: {run['command']}")
    if len(front) > 3:
        print("(--json has the commands of all)")


def _print_importance(one: Mapping[str, Any]) -> None:
    settings, runs, objective = one["settings"].items(), one["runs"], one["objective"]
    if one["runs_followed_results"]:
        print(f"\nwhich settings decide {objective}, of {runs} runs that followed results\n")
        shares = [[name, percent(it["variance"]), percent(it["share"])] for name, it in settings]
        print_table(["setting", "share of variance", "among the best"], shares)
        return
    print(
        f"\nwhich settings decide whether a run is among the best {one['best']} of {runs} by "
        f"{objective}\n"
    )
    rows = [
        [
            name,
            percent(it["share"]),
            f"{it['divergence']:.2g}",
            f"{it['by_chance']:.2g}",
            "yes" if it["beyond_chance"] else "no",
        ]
        for name, it in settings
    ]
    print_table(["setting", "share", "divergence", "by chance", "more than chance"], rows)


def _value(run: "RunRecord", place: int) -> float:
    assert run.values is not None
    return run.values[place]


def _run_record(sweep: "Sweep", results: "SweepResults", run: "RunRecord") -> dict[str, Any]:
    words = _train_words(sweep, run)
    return {
        "run": run.run,
        "params": {name: run.params[name] for name in results.settings},
        "values": named(results, run.values),
        **{name: getattr(run, name) for name in ("epochs", "seconds", "attempts")},
        **{name: getattr(run, name) for name in ("accuracy", "solved")},
        "path": str(sweep.runs_dir / run.run),
        "command": None if words is None else shlex.join(words),
    }


def _neighbour_record(results: "SweepResults", one: "Neighbour") -> dict[str, Any]:
    return {
        "setting": one.setting,
        "value": one.value,
        "run": one.run.run,
        "values": named(results, one.run.values),
        "differs_also_in": {name: one.run.params[name] for name in one.also},
        "distance": one.distance,
        "exact": one.exact or None,
    }


def _importance_record(one: "Importances") -> dict[str, Any]:
    return {
        "objective": one.objective,
        "runs": one.runs,
        "best": one.best,
        "runs_followed_results": one.followed,
        "settings": {
            each.setting: {
                "share": each.share,
                "divergence": each.divergence,
                "by_chance": each.chance,
                "beyond_chance": each.beyond_chance,
                "variance": each.variance,
            }
            for each in one.settings
        },
    }
