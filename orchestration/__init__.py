"""Ways to run Stockroom: Dagster definitions, the command line, the searcher."""

from stockroom_launcher import check_packages

check_packages()  # for every entry point: a command, Dagster, a script
