"""`miiii`: runs a command, prints its errors on one line, and gives the exit code.

Exit codes: 0 done; 1 failed; 2 bad usage: an unknown command or refused settings; 75 saved after
SIGTERM, SIGHUP, SIGUSR1 or SIGXCPU, the same command goes on; 130 interrupted from the keyboard,
saved.
"""

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType

from miiii import __version__
from miiii.cli.plain_letters import write_plainly
from miiii.experiment.huge_pages import restart_with_huge_pages
from miiii.refusals import is_refusal, unknown_name

COMMANDS = {
    "train": "train one configuration, one seed or several at once",
    "resume": "go on with a run that was interrupted, or make it longer",
    "list": "list the runs",
    "show": "show one run: settings, state, when each task was solved",
    "compare": "runs side by side: settings, epochs, accuracies, curves",
    "figures": "draw the paper's figures and tables from your runs",
    "circuits": "which neurons serve which tasks, proved by ablation",
    "certify": "prove which tasks a run answers right on every number",
    "reproduce": "train all that the claims need, and judge them",
    "ledger": "which of the paper's claims hold in a study, and why",
    "report": "write a study's page: claims, curves, figures, settings",
    "export": "write a run for TransformerLens, NumPy, a model hub, tables",
    "track": "hand a stored run's numbers to TensorBoard or another tool",
    "view": "runs and studies in the browser, live",
    "import": "make a run of a published model of two digits modulo p",
    "clean": "what could go from the disk, and how large it is",
    "sweep": "search settings with Optuna, on as many machines as there are",
    "completion": "a script for bash, zsh or fish that completes words",
    "doctor": "check this machine: device, versions, precision, disk",
}
"""Name and purpose, in the order of the overview."""
_SHARED = {"resume": "train", "list": "inspect", "show": "inspect", "import": "import_run"}
"""Commands whose module in `miiii.cli.commands` has another name."""
_TRAINING = (["train"], ["resume"], ["sweep", "worker"])
"""Commands that train in their own process."""

FAILED, USAGE = 1, 2


def overview() -> str:
    """The text of `miiii --help`."""
    lines = [
        "usage: miiii COMMAND [OPTIONS]",
        "",
        "The laboratory for multi-task grokking: train a small transformer on many",
        "modular-arithmetic tasks at once, watch it grok, and take it apart.",
        "",
        "commands:",
        *(f"  {name:11} {purpose}" for name, purpose in COMMANDS.items()),
        "",
        "  miiii COMMAND --help explains a command and every field of it.",
        "  miiii --version prints the version.",
        "",
        "Start with: miiii train --preset small",
    ]
    return "\n".join(lines)


def command_module(name: str) -> ModuleType:
    """The module of a command, imported on demand."""
    return import_module(f"miiii.cli.commands.{_SHARED.get(name, name)}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit with its code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if arguments is None and (words[:1] in _TRAINING or words[:2] in _TRAINING):
        restart_with_huge_pages()
    write_plainly(sys.stdout, sys.stderr)
    sys.exit(run(words))


def run(words: list[str]) -> int:
    """Run a command; returns its exit code."""
    if not words or words[0] in ("-h", "--help", "help"):
        print(overview())
        return 0 if words else USAGE
    if words[0] in ("-V", "--version"):
        print(f"miiii {__version__}")
        return 0
    name, *rest = words
    if name not in COMMANDS:
        return refuse(unknown_name("command", name, list(COMMANDS)))
    # A pipe that is closed early (`miiii list | head`) is no error.
    try:
        return getattr(command_module(name), f"{name}_command")(rest)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except ValueError as error:
        if not is_refusal(error):
            raise
        return refuse(str(error))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except Exception as error:
        from miiii.runs.errors import RunError, RunExistsError, RunLockedError, RunNotFoundError

        if not isinstance(error, RunError):
            if isinstance(error, ImportError | AttributeError | TypeError) and (found := _unmet()):
                reason = f"{type(error).__name__}: {error}"
                return refuse(f"{found}; miiii does not work with that ({reason})", FAILED)
            raise
        usage = isinstance(error, RunExistsError | RunNotFoundError | RunLockedError)
        return refuse(str(error), USAGE if usage else FAILED)


def _unmet() -> str:
    """The packages that are missing or too old, each with the remedy, as text."""
    from miiii.cli.requirements import unmet_requirements

    try:
        return "; ".join(unmet_requirements())
    except ImportError:
        return ""


def refuse(message: str, code: int = USAGE) -> int:
    """Print an error on one line of stderr; returns the exit code."""
    print("error: " + " ".join(message.split()), file=sys.stderr)
    return code
