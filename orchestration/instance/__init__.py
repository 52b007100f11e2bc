"""Dagster's instance, locks between processes, and the UI's server."""
