"""`miiii sweep`: search of settings. Each action is a function in the module of its name."""

from importlib import import_module
from types import ModuleType

from miiii.cli.arguments import UsageError
from miiii.refusals import unknown_name

ACTIONS = {
    "new": "make a sweep: its space, sampler, objectives and number of trials",
    "worker": "take trials and train them until none are left; run as many as you like",
    "launch": "start workers on this machine or through SLURM",
    "status": "how many trials wait, run and are done, and the best so far",
    "best": "the best trial, its neighbours, and which settings matter",
    "table": "every trial, or the paper's Tables 1 and 2 filled in",
    "retry": "let failed runs be tried again",
    "plot": "parallel coordinates, importances and progress as pictures",
}


def action_module(action: str) -> ModuleType:
    """The module of an action, imported on demand."""
    return import_module(f"miiii.cli.sweep.{action}")


def sweep_command(words: list[str]) -> int:
    """Run an action of `miiii sweep`; returns the exit code."""
    if not words or words[0] in ("-h", "--help"):
        lines = [f"  {name:7} {purpose}" for name, purpose in ACTIONS.items()]
        print("usage: miiii sweep ACTION NAME [OPTIONS]\n\nactions:", *lines, sep="\n")
        print("\n  miiii sweep ACTION --help explains an action and every option of it.")
        return 0 if words else 2
    action, *rest = words
    if action not in ACTIONS:
        raise UsageError(unknown_name("action", action, list(ACTIONS)))
    return getattr(action_module(action), action)(rest)
