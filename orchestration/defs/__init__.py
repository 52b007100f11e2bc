"""Dagster's definitions: jobs, resources, sensors and schedules."""
