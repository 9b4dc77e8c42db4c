"""One function per figure: from records of the analysis to a drawing. Nothing is computed here.

All figures have the arguments `title`, the text above the picture ("" for none), and `style`, its
colours and fonts.
"""
