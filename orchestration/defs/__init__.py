"""Dagster's definitions: jobs, the resource that configures runs, sensors and schedules."""
