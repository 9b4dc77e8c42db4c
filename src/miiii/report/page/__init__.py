"""A study's page: cards, charts, slider, tables of settings, gallery."""
