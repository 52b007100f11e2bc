"""What the assets compute with, without Dagster."""
