"""Features as tables, as of a time, offline and at search."""
