"""Data dictionary and column lineage of the tables."""
