"""What a message names: its words, without the sentence around them.

Tests ask for the field, the value and the remedy that a message names, so that a sentence may be
written better without a test to change. The lines whose every letter counts are in
`cli/test_wording.py`.
"""

import re


def naming(words: str) -> re.Pattern[str]:
    """A pattern for texts that name all of these words, each whole, in any order.

    `pytest.raises(ValueError, match=naming("heads 3 width 256"))`. A tuple or a list is written
    without spaces: "(2,3)" is found as "(2, 3)" too.
    """
    return re.compile("(?s)" + "".join(f"(?=.*{_whole(word)})" for word in words.split()))


def says(text: str, words: str) -> bool:
    """Whether a text names all of these words, as `naming` asks for them."""
    return bool(naming(words).match(text))


def _whole(word: str) -> str:
    """`heads` is not found in `heads_per_block`, nor `1` in `10`, `0.1` or `1.5`."""
    before = r"(?<!\w)(?<!\d\.)" if re.match(r"\w", word) else ""
    after = r"(?!\w|\.\d)" if re.search(r"\w$", word) else ""
    return before + re.escape(word).replace(",", r",\s*") + after
