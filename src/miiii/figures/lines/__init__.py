"""What several figures of lines share: the lines, their log axes, names at their ends."""
