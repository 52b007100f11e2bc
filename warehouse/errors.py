"""The error that the warehouse raises for problems that a user can correct."""


class WarehouseError(Exception):
    """State a problem and its remedy, neither with a period at its end. The command line joins them by a semicolon."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message}\n  {hint}" if hint else message)
        self.message = message
        self.hint = hint


class UnknownKeyError(WarehouseError):
    """State that a release has no row of a key."""


class LockedError(WarehouseError):
    """State that another process has had a lock for longer than this one waits."""


def first_line(error: BaseException) -> str:
    """Return the first line of another library's error without its period, to be quoted in an error of this package."""
    line = next(iter(str(error).strip().splitlines()), type(error).__name__).strip()
    return line[:-1] if line.endswith(".") and line[-2:-1].isalnum() else line  # the dots of paths stay
