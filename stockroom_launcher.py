"""The launcher: checks that Stockroom's packages are imported from its installation, then runs the command line.

The packages have such general names that a `models.py` of the user's may come before them on Python's path. This module has a
unique name and lies beside the packages.
"""

import sys
from importlib.util import find_spec
from pathlib import Path

PACKAGES = ("orchestration", "assets", "models", "warehouse")


def check_packages() -> None:
    """Check that no other file hides one of Stockroom's packages. Imports nothing.

    Raises:
        ImportError: A package is hidden or missing; the message names the file in the way, in one line.
    """
    own = Path(__file__).resolve().parent
    for name in PACKAGES:
        spec = find_spec(name)
        places = [spec.origin or "", *(spec.submodule_search_locations or ())] if spec else []
        origin = next((Path(place).resolve() for place in places if place), None)
        if origin is None:
            raise ImportError(f"Stockroom's own package {name} is missing in {own}; install Stockroom again")
        if origin != own / name / "__init__.py":
            raise ImportError(
                f"{origin} hides Stockroom's own package {name}; rename it, or start where its folder is not on Python's path "
                "(PYTHONPATH, the folder of a script)"
            )


def main() -> None:
    """Run the command line; exit with 1 and a one-line error if a file hides a package."""
    try:
        check_packages()
    except ImportError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    from orchestration.cli import main as run

    run()


if __name__ == "__main__":
    main()
