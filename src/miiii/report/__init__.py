"""Pages and folders for people: which pictures there are, their captions, the gallery, the report.

It joins runs, analysis and figures, and writes what they give to disk.
"""
