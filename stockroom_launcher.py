"""The start of the command: sees that the program's packages come from where it is installed, and runs it.

Their names are so general that a `models.py` of the user's own may come before them on Python's path. This module has a name
that no one else has, and stands beside them.
"""

import sys
from importlib.util import find_spec
from pathlib import Path

PACKAGES = ("orchestration", "assets", "models", "warehouse")


def check_packages() -> None:
    """Refuse to go on where another file hides one of the program's packages. Imports nothing.

    Raises:
        ImportError: It names the file in the way, in one line.
    """
    own = Path(__file__).resolve().parent
    for name in PACKAGES:
        spec = find_spec(name)
        places = [spec.origin or "", *(spec.submodule_search_locations or ())] if spec else []
        found = next((Path(place).resolve() for place in places if place), None)
        if found is None:
            raise ImportError(f"Stockroom's own package {name} is missing in {own}; install Stockroom again")
        if found != own / name / "__init__.py":
            raise ImportError(
                f"{found} hides Stockroom's own package {name}; rename it, or start where its folder is not on Python's path "
                "(PYTHONPATH, the folder of a script)"
            )


def main() -> None:
    """Run the command line; exit with 1 and one line where a file is in its way."""
    try:
        check_packages()
    except ImportError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    from orchestration.cli import main as run

    run()


if __name__ == "__main__":
    main()
