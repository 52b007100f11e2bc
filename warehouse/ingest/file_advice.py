"""File advice: the remedy for an unreadable file, judged by its first bytes."""

from pathlib import Path

_HEAD_BYTES = 4096
_BROKEN = "it is truncated or broken; copy or download it again"
_KINDS = {
    b"PAR1": _BROKEN,
    b"\xff\xfe": "it is UTF-16 text; save it as UTF-8",
    b"\xfe\xff": "it is UTF-16 text; save it as UTF-8",
    b"\xef\xbb\xbf": "it begins with a byte order mark; save it as UTF-8 without one",
    b"\x1f\x8b": "it is compressed with gzip; unpack it first",
    b"PK\x03\x04": "it is a zip archive or a spreadsheet; unpack it, or save the sheet in a format that is read here",
}


def advice(path: Path) -> str:
    """Return the remedy for an unreadable file: another encoding or format, or a new copy."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError:
        return "put the file there, and let this user read it"
    for beginning, remedy in _KINDS.items():
        if head.startswith(beginning):
            return remedy
    if not head or 0 in head:
        every_other = abs(len(head) - 2 * head.count(0)) <= 2  # byte of Latin text in UTF-16
        return _KINDS[b"\xff\xfe"] if head and every_other else _BROKEN
    if path.suffix == ".parquet":
        return "it is text, not parquet; write it as parquet, or copy or download it again"
    try:
        head.decode()
    except UnicodeDecodeError as error:
        if error.end < len(head):  # not the last letter, which the reading may have cut in two
            return "it is not UTF-8 text; save it as UTF-8"
    return "correct the line, or copy or download it again if its end is missing"
