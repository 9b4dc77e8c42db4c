"""What stands on the report, read back: sheets pixel by pixel, pages tag by tag."""

import base64
import io
from html.parser import HTMLParser

import numpy as np
from PIL import Image

from miiii.report.page.sheets import BAR, GAP

PNG = "data:image/png;base64,"


def pixels(sheet):
    """[S, P, h, w], 0 white to 1 black."""
    array = decoded(sheet.uri)
    assert array.shape == (sheet.epochs * sheet.height, sheet.panels * sheet.width)
    split = array.reshape(sheet.epochs, sheet.height, sheet.panels, sheet.width)
    return split.transpose(0, 2, 1, 3)


def decoded(uri):
    """A PNG's data URI as an array, 0 white to 1 black."""
    assert uri.startswith(PNG)
    with Image.open(io.BytesIO(base64.b64decode(uri.removeprefix(PNG)))) as image:
        return 1 - np.asarray(image.convert("L")).astype(float) / 255


def columns(picture, tall):
    """Per bar its three columns, after checking that they agree and the gap is empty."""
    height, width = picture.shape
    split = picture.reshape(height, width // (BAR + GAP), BAR + GAP)
    for column in range(1, BAR):
        assert np.array_equal(split[..., column], split[..., 0])
    between = np.delete(split[..., BAR:], tall, axis=0)
    assert not between.any()
    return split[..., 0].T


class Page(HTMLParser):
    """Every tag with its attributes, and the text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words = [], []
        self.feed(text)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words.append(data)

    def all(self, tag, name=None):
        """The attributes of every tag of a kind, or one of them where it stands."""
        found = [attributes for kind, attributes in self.tags if kind == tag]
        return found if name is None else [one[name] for one in found if name in one]

    @property
    def identities(self):
        """Where a link can lead."""
        return [attributes["id"] for _, attributes in self.tags if "id" in attributes]
