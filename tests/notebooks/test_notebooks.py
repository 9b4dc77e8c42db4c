"""Every notebook runs from a clean kernel, and its last lines show themselves."""

from pathlib import Path

import pytest

from torch_beside import site_packages

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
NEED_TORCH = {"any-model"}

# tornado, zmq and ipykernel warn of one another.
pytestmark = pytest.mark.filterwarnings("default")


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def test_a_notebook_runs(path, tmp_path):
    notebook = nbformat.read(path, as_version=4)
    trains_runs = path.stem not in NEED_TORCH
    if not trains_runs:
        # Last on the path: whatever this environment has comes from it.
        line = f"import sys; sys.path.append({str(site_packages())!r})"
        notebook.cells.insert(0, nbformat.v4.new_code_cell(line))
    client = nbclient.NotebookClient(
        notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()  # raises where a cell does
    shown = [
        output
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.output_type == "execute_result"
    ]
    pictures = [output for output in shown if "<svg" in output.data.get("text/html", "")]
    assert pictures, "a notebook that shows no picture"
    assert (tmp_path / "runs").exists() == trains_runs


@pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def test_a_notebook_is_stored_without_its_output(path):
    """What is stored would be of another machine, and large."""
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    assert notebook.cells[0].source.startswith("# ")


def test_a_task_takes_ten_lines():
    notebook = nbformat.read(FOLDER / "new-task.ipynb", as_version=4)
    first = next(cell for cell in notebook.cells if cell.cell_type == "code")
    lines = [line for line in first.source.splitlines() if line.strip()]
    assert len(lines) <= 10
    assert "with_labels" in first.source


def test_all_five_are_here():
    names = {path.stem for path in NOTEBOOKS}
    trained = {"train-and-look", "take-a-neuron-apart", "new-task", "compare-two-runs"}
    assert trained | NEED_TORCH <= names
