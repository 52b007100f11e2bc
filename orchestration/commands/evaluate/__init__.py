"""Evaluations by command: folds, the live release, another catalog."""
