"""Checkpoints of the lake, and what changed between them."""
