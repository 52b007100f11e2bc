"""The assets: one thin Dagster asset for each table, model and index."""

from stockroom_launcher import check_packages

check_packages()
