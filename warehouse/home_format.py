"""The format of a home: a number that determines which versions of Stockroom can use it."""

from pathlib import Path

from warehouse.errors import WarehouseError

FORMAT = 2
"""The format that this version writes. It reads all earlier ones, and a run upgrades a home to this one.

1: Homes without a number. 2: Derived tables keep watermarks.
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
        raise WarehouseError(f"{path} holds no format number: {text[:20]!r}", f"write {FORMAT} into it, or take it out")
    if int(text) > FORMAT:
        raise WarehouseError(
            f"{root} is of format {text}, and this version reads up to {FORMAT}", "use the newer version of Stockroom"
        )


def claim(root: Path) -> None:
    """Record this version's format in a home. The caller holds the run lock."""
    path = root / _FILE
    if not path.is_file() or path.read_text(encoding="utf-8").strip() != str(FORMAT):
        path.write_text(f"{FORMAT}\n", encoding="utf-8")
