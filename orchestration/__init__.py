"""How it is run: Dagster definitions, the command line, the searcher."""

from stockroom_launcher import check_packages

check_packages()  # whoever starts it: a command, Dagster, a script
