"""Shared parts of the table assets: definition, result, checks and lineage."""
