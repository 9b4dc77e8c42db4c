"""The catalogue of pictures: their sources, drawing and writing."""
