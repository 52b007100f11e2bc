"""The format of a home: a number that determines which versions of Stockroom can use it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from warehouse.errors import WarehouseError

FORMAT = 6
"""The format that this version writes. It reads all earlier ones, and a run upgrades a home to this one.

1: The home has no format file. 2: Derived tables have watermarks. 3: Rankers, superseded and late rows and catalog ranks have
these names. 4: Delta files have sequence numbers, and the archive of input files is
`archive/`. The split of the queries is `splits.queries`, before `training.queries`. 5: Measurements name the ranker, and the text
leg. 6: Releases have search rules.
"""

_FILE = "format"


def require(root: Path) -> None:
    """Refuse a home that a later version has written.

    Raises:
        WarehouseError: The home has a later format, or an unreadable format number.
    """
    path = root / _FILE
    if not path.is_file():
        return
    text = path.read_text(encoding="utf-8", errors="replace").strip()
    if not text.isdecimal():
        raise WarehouseError(
            f"{path} has no format number: {text[:20]!r}", f"write {FORMAT} into the file, or remove the file"
        )
    if int(text) > FORMAT:
        raise WarehouseError(
            f"{root} has format {text}, and this version of Stockroom reads formats up to {FORMAT}",
            "use the newer version of Stockroom",
        )


def is_current(root: Path) -> bool:
    """Tell whether a home has this version's format."""
    path = root / _FILE
    return path.is_file() and path.read_text(encoding="utf-8").strip() == str(FORMAT)


@contextmanager
def reading(root: Path) -> Iterator[None]:
    """Name an earlier format as the cause where a query of Stockroom's own fails on the tables of a home.

    Raises:
        WarehouseError: The query failed, and the home has an earlier format.
    """
    try:
        yield
    except (WarehouseError, duckdb.BinderException) as error:
        if is_current(root):
            raise
        raise WarehouseError(
            f"{root} was written by an earlier version of Stockroom, whose tables have other columns",
            "upgrade the home first: stockroom build",
        ) from error


def claim(root: Path) -> None:
    """Record this version's format in a home. The caller holds the run lock."""
    if not is_current(root):
        (root / _FILE).write_text(f"{FORMAT}\n", encoding="utf-8")
