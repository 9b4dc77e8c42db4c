"""One function per figure: from records of the analysis to a drawing. Nothing is computed here."""
