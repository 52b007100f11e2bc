"""File advice: the remedy for an unreadable file, judged by its first bytes, and for a missing one, by what is found instead."""

import os
from pathlib import Path

from warehouse.errors import WarehouseError

_HEAD_BYTES = 4096
_CORRUPT = "the file is truncated or corrupt; copy the file again from its source"
_KINDS = {
    b"PAR1": _CORRUPT,
    b"\xff\xfe": "the file is UTF-16 text; save the file as UTF-8",
    b"\xfe\xff": "the file is UTF-16 text; save the file as UTF-8",
    b"\xef\xbb\xbf": "the file begins with a byte order mark; save the file as UTF-8 without the mark",
    b"\x1f\x8b": "the file is compressed with gzip; unpack the file first",
    b"PK\x03\x04": "the file is a zip archive or a spreadsheet; unpack the archive, or save the sheet in the right format",
}


def advice(path: Path) -> str:
    """Return the remedy for an unreadable file: another encoding or format, or a new copy."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError:
        return "the file cannot be opened; check that it exists and that this user may read it"
    for beginning, remedy in _KINDS.items():
        if head.startswith(beginning):
            return remedy
    if not head or 0 in head:
        every_other = abs(len(head) - 2 * head.count(0)) <= 2  # byte of Latin text in UTF-16
        return _KINDS[b"\xff\xfe"] if head and every_other else _CORRUPT
    if path.suffix == ".parquet":
        return "the file is text, not parquet; write the file as parquet, or copy the file again from its source"
    try:
        head.decode()
    except UnicodeDecodeError as error:
        if error.end < len(head):  # not the last letter, which the reading may have cut in two
            return "the file is not UTF-8 text; save the file as UTF-8"
    return "the file may be truncated; correct the line, or copy the file again from its source"


def no_file(path: Path, hint: str) -> WarehouseError:
    """Return the error for a path that is not a file; the message says what was found instead."""
    if path.is_dir():
        found = "is a folder, not a file"
    elif path.exists():
        found = "is a pipe or a device, not a file"
    elif path.is_symlink():
        found = f"is a link to {os.readlink(path)}, which does not exist"
    else:
        others = ", ".join(each.name for each in _of_the_same_name(path))
        found = f"is missing, and its folder has {others}" if others else "is missing"
    return WarehouseError(f"{path} {found}", hint)


def is_in_other_form(path: Path) -> bool:
    """Tell whether a folder, a broken link or a file of another format stands where a file is not."""
    return path.is_dir() or path.is_symlink() or bool(_of_the_same_name(path))


def _of_the_same_name(path: Path) -> list[Path]:
    """Return the files beside a path whose names differ from its name only in case or in the ending."""
    try:
        beside = sorted(path.parent.iterdir())
    except OSError:
        return []
    return [each for each in beside if each.stem.lower() == path.stem.lower() and each.is_file()]
