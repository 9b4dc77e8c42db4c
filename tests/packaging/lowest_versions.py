"""Every command once, in one process: what CI runs beside the lowest versions that are declared.

`python tests/packaging/lowest_versions.py FOLDER`: fails at the first command that fails.
"""

import sys
import time
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

from miiii.cli.main import run

SMALL = ["--base", "7", "--width", "8", "--heads", "2", "--epochs", "6", "--snapshots", "3"]
SWEEP = ["--space", "space.toml", "--sampler", "grid", "--preset", "tiny", *SMALL]
LENS = "runs/b/exports/transformer-lens/hooked_transformer.safetensors"
COMMANDS = [
    ["doctor"],
    ["train", "--preset", "tiny", *SMALL, "--name", "a"],
    ["train", "--preset", "nanda", *SMALL, "--optimiser", "muon", "--name", "b"],
    ["resume", "a", "--epochs", "8"],
    ["list"],
    ["show", "a"],
    ["compare", "a", "b"],
    ["figures", "a", "--only", "4"],
    ["circuits", "a", "--draws", "1", "--only", "N1"],
    ["certify", "a"],
    *(["export", "b", "--to", form] for form in ("transformer-lens", "numpy", "hf-folder", "csv")),
    ["sweep", "new", "s", *SWEEP],
    ["sweep", "worker", "s"],
    ["sweep", "status", "s"],
    ["sweep", "table", "s"],
    ["import", LENS, "--name", "imported"],
    ["clean", "--dry-run"],
    ["completion", "bash"],
]
MAY_FAIL = ("certify", "doctor")
"""Their answer may be no: tasks are not learnt, packages of other parts not installed."""


def main(folder: Path) -> int:
    """Run them there; the exit code is that of the first that fails."""
    import os

    os.chdir(folder)
    Path("space.toml").write_text("learning_rate = [1e-3]\n")
    for words in COMMANDS:
        began, said = time.monotonic(), StringIO()
        with redirect_stdout(said):
            code = run(words)
        print(f"{time.monotonic() - began:5.1f} s  {code}  miiii {' '.join(words)}", flush=True)
        if code and not (code == 1 and words[0] in MAY_FAIL):
            print(said.getvalue())
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
