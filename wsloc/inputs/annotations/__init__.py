"""Annotated data sets in the formats people have them in: one file a format, all of them to `Sample`."""
