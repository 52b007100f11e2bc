"""Computations of the assets, without Dagster."""
