"""How it is run: Dagster definitions, the command line, the searcher."""
