"""Declarations: what a person says of the files of a catalog, and what follows from it."""
