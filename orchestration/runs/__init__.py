"""Runs of a job in this process."""
