"""The catalogue of pictures: what each needs, how it is drawn and written."""
