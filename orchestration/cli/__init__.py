"""The command line: `stockroom`, one file a command."""

import atexit
import gc
import sys

_OBJECTS_BETWEEN_LOOKS = 1_000_000


def main() -> None:
    """Run the command line; exit with 0, 1 for a failure, 2 for wrong usage."""
    # Imports make hundreds of thousands of objects and no garbage: to look for some among them, at Python's pace and once
    # more at the end, takes a second of each command.
    gc.set_threshold(_OBJECTS_BETWEEN_LOOKS, 2, 100)
    atexit.register(gc.freeze)
    from models.errors import ModelError
    from orchestration.cli.app import app
    from warehouse.errors import WarehouseError
    from warehouse.paths import check_text

    try:
        for argument in sys.argv[1:]:
            check_text(argument)
        app(prog_name="stockroom")
    except (WarehouseError, ModelError) as error:
        print("error:", "; ".join(map(_without_stop, str(error).splitlines())), file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        if error.filename is None:
            raise
        print(f"error: {error.filename}: {error.strerror}", file=sys.stderr)
        sys.exit(1)


def _without_stop(line: str) -> str:
    """Return a sentence without its full stop; the dots of paths stay."""
    line = line.strip()
    return line[:-1] if line.endswith(".") and line[-2:-1].isalpha() else line
