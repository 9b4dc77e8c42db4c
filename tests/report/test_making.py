"""What the files of pictures say of their making: program, commands, and no date."""

from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from miiii import __version__, esch
from miiii.esch import LIGHT
from miiii.esch.about import About
from miiii.report.pictures.making import about_pictures
from miiii.report.pictures.picture import FORMATS, Picture

DUBLIN = "{http://purl.org/dc/elements/1.1/}"
ABOUT = About("miiii 9.9", 'Drawn by miiii 9.9: `miiii figures "a & b"`. Run λ: `miiii train <x>`.')


def plotted():
    figure = Figure((2, 1))
    figure.add_subplot().plot([0, 1], [1, 0])
    return figure


def drawn():
    return esch.draw("h w", np.eye(3))


@pytest.fixture(params=[plotted, drawn])
def files(request, tmp_path):
    """The same picture, written twice in every format."""
    found = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        picture = Picture("4", "picture", "", "", request.param())
        written = picture.write(tmp_path / name, FORMATS, LIGHT, ABOUT)
        found.append({path.suffix[1:]: path for path in written})
    return found


def test_every_format_says_program_and_commands(files):
    one, two = files
    for kind in FORMATS:
        data = one[kind].read_bytes()
        assert data == two[kind].read_bytes()
        assert b"CreationDate" not in data
        assert b"<dc:date>" not in data
    tree = ElementTree.parse(one["svg"]).getroot()
    assert [each.text for each in tree.iter(DUBLIN + "title")] == [ABOUT.program]
    assert [each.text for each in tree.iter(DUBLIN + "description")] == [ABOUT.description]
    with Image.open(one["png"]) as image:
        said = image.text  # pyright: ignore[reportAttributeAccessIssue]
    assert (said["Software"], said["Description"]) == (ABOUT.program, ABOUT.description)
    pdf = one["pdf"].read_bytes()
    assert b"/Creator (miiii 9.9)" in pdf
    # Outside of ASCII a PDF's texts are UTF-16.
    assert ABOUT.description.encode("utf-16-be") in pdf


def test_runs_are_told_by_the_commands_that_trained_them():
    resumed = [
        {"epoch": 5, "command": ["miiii", "resume", "b"]},
        {"epoch": 9, "command": ["miiii", "resume", "b"]},
    ]
    first, second = ["miiii", "train", "--name", "a b"], ["miiii", "reproduce"]
    runs = [
        ("a b", {"command": first}),
        ("b", {"command": second, "resumed": resumed}),
        ("c", {"command": []}),
        ("d", {"command": []}),
    ]
    command = ["miiii", "figures", "a b", "--output-dir", "/x/y", "--only=4", "--json", "--dark"]
    about = about_pictures(command, runs)
    program = f"miiii {__version__}"
    assert about.program == program
    assert about.description == (
        f"Drawn by {program}: `miiii figures 'a b' --only=4 --dark`. "
        "Run a b: `miiii train --name 'a b'`. "
        "Run b: `miiii reproduce`, then `miiii resume b`. "
        "Runs c, d: from Python."
    )
    elsewhere = ["miiii", "figures", "a b", "--only=4", "--output-dir=z", "--dark"]
    assert about_pictures(elsewhere, runs) == about


def test_many_runs_of_one_command_are_counted_and_paths_are_shortened():
    runs = [(f"trial-{at}", {"command": ["miiii", "sweep", "worker", "s"]}) for at in range(5)]
    about = about_pictures(["miiii", "sweep", "plot", "s", "--sweeps-dir", "/home/me/s"], runs)
    assert about.description == (
        f"Drawn by miiii {__version__}: `miiii sweep plot s --sweeps-dir s`. "
        "5 runs: `miiii sweep worker s`."
    )
    assert about_pictures([], []).description == f"Drawn by miiii {__version__}: from Python."
