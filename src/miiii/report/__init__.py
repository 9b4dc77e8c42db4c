"""Pages and folders of results: the catalogue of pictures, captions, the gallery, the report."""
