"""Serving: the release log and the online store."""
