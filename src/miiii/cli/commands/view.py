"""`miiii view`: runs and studies as live pages in the browser."""

import signal
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from miiii.cli.arguments import UsageError, parse
from miiii.cli.checks import check_range
from miiii.cli.text import listed
from miiii.refusals import unknown_name
from miiii.runs.listing import is_run, list_runs
from miiii.studies.study import FILE_NAME, study_names
from miiii.viewing.places import NotShownError, Roots, find_place

PORT = 8059


@dataclass(frozen=True)
class ViewArguments:
    """Show runs and studies in the browser, live: the page follows a run that trains.

    The pages can be reached from this machine only, and change nothing. Ctrl-C ends the server.
    """

    name: Annotated[str | None, tyro.conf.Positional, tyro.conf.arg(metavar="RUN|STUDY")] = field(
        default=None, metadata={"option": None}
    )
    """Name of a run or a study, or its path; default: an index of all."""
    port: int = PORT
    """Port on 127.0.0.1; 0: any free port."""
    host: str = ""
    """Host names, separated by commas, under which a proxy requests the pages. By default only
    requests to localhost are answered, at any port: ssh -L 9000:localhost:8059 needs no name."""
    prefix: str = ""
    """The prefix that a proxy leaves before every path, such as /user/me/proxy/8059."""
    runs_dir: Path = Path("runs")
    """The directory that holds the runs."""
    studies_dir: Path = Path("studies")
    """The directory that holds the studies."""


def view_command(words: list[str]) -> int:
    """Run `miiii view`; returns the exit code."""
    arguments = parse(ViewArguments, words, "miiii view")
    check_range(arguments, "port", 0, 65535)
    if arguments.prefix and not arguments.prefix.startswith("/"):
        raise UsageError(f"--prefix is {arguments.prefix!r}: it must begin with a slash")
    hosts = list(listed(arguments.host))
    roots, first, other = _places(arguments)
    from miiii.viewing.pages import Pages
    from miiii.viewing.server import ViewServer

    with tempfile.TemporaryDirectory(prefix="miiii-view-") as folder:
        pages = Pages(roots, Path(folder))
        with ViewServer(pages, arguments.port, hosts, arguments.prefix) as server:
            try:
                # SIGINT too, because a shell starts background processes with it ignored.
                for number in (signal.SIGINT, signal.SIGTERM):
                    signal.signal(number, signal.default_int_handler)
                print(f"{server.address}{first} (Ctrl-C ends it)", flush=True)
                if other:
                    print(f"the study of that name: {server.address}{other}", flush=True)
                server.serve_forever(poll_interval=0.2)
            except KeyboardInterrupt:
                print()
            finally:
                pages.reports.close()
    return 0


def _places(arguments: ViewArguments) -> tuple[Roots, str, str]:
    """The readable directories, the first page's path, and that of a study with the run's name."""
    roots, name = Roots(arguments.runs_dir, arguments.studies_dir), arguments.name
    if name is None:
        return roots, "", ""
    own = Path(name).name
    run = _found(roots.runs / name, Path(name), is_run)
    study = _found(roots.studies / name, Path(name), lambda path: (path / FILE_NAME).is_file())
    if run is None and study is None:
        known = [summary.name for summary in list_runs(roots.runs)]
        raise UsageError(unknown_name("run or study", name, [*known, *study_names(roots.studies)]))
    if run is not None:
        roots = Roots(run.absolute().parent, roots.studies)
    if study is not None:
        roots = Roots(roots.runs, study.absolute().parent)
    paths = [f"runs/{own}/"] if run is not None else []
    paths += [f"studies/{own}/"] if study is not None else []
    try:
        for path in paths:
            find_place("/" + path, roots)
    except NotShownError:
        raise UsageError(
            f"{name} cannot be shown: it is a link that leads out of its directory, or its name "
            "has other characters than letters, digits, '.', '_' and '-'"
        ) from None
    return roots, paths[0], (paths[1] if len(paths) > 1 else "")


def _found(inside: Path, given: Path, fits) -> Path | None:
    return next((path for path in (inside, given) if fits(path)), None)
