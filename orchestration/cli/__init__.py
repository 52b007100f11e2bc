"""The command line: `stockroom`, one file per command."""

import atexit
import gc
import os
import sys

_OBJECTS_BETWEEN_COLLECTIONS = 1_000_000


def main() -> None:
    """Run the command line; exit with 0, 1 for a failure, 2 for wrong usage, 130 after Ctrl-C, 143 after SIGTERM."""
    from orchestration.cli.endings import STOPPED, run
    from warehouse.paths import remove_private_folder

    # Imports make hundreds of thousands of objects and no garbage. Collections among them, at Python's rate and once more at
    # exit, take one and a half seconds of each command.
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    atexit.register(gc.freeze)
    status = run(_run)
    if status in STOPPED:
        # Threads in native code cannot be stopped: a wait for them may take long, and some crash if the interpreter ends
        # first. Written data survives every kill, so nothing is lost.
        sys.stdout.flush()
        sys.stderr.flush()
        remove_private_folder()
        os._exit(status)
    sys.exit(status)


def _run() -> None:
    import typer

    from orchestration.cli.app import app
    from orchestration.cli.usage import usage_line
    from warehouse.paths import check_text

    for argument in sys.argv[1:]:
        check_text(argument)
    try:
        status = app(prog_name="stockroom", standalone_mode=False)
    except typer.TyperException as error:
        status = error.exit_code
        line = usage_line(error)
        if line:
            print(line, file=sys.stderr)
    sys.exit(status)
