"""The lake: DuckLake tables, how they are opened, written and reconciled, and how each follows its sources."""
