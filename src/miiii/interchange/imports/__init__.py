"""Other tools' models as runs."""
