"""Common parts of line figures: the lines, their log axes, names at their ends."""
