"""Evaluation: rankers, metrics, intervals and the promotion gate."""
