"""What exists: one thin Dagster asset for each table, model and index."""
