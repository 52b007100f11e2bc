"""The command line: `stockroom`, one file a command."""

import sys


def main() -> None:
    """Run the command line; exit with 0, 1 for a failure, 2 for wrong usage."""
    from models.errors import ModelError
    from orchestration.cli.app import app
    from warehouse.errors import WarehouseError

    try:
        app(prog_name="stockroom")
    except (WarehouseError, ModelError) as error:
        print("error:", "; ".join(line.strip() for line in str(error).splitlines()), file=sys.stderr)
        sys.exit(1)
