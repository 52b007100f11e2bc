"""Files into raw tables: full snapshots, delta files and time series."""
