"""Answers from the live release: search and lookup."""
