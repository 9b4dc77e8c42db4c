"""The page of a study: cards, charts, slider, tables of settings, gallery."""
