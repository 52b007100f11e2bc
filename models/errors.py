"""The one error that the models raise for what a user can correct."""


class ModelError(Exception):
    """Say in one line what is wrong and how to correct it: neither part ends with a period, they are joined by a semicolon."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message}\n  {hint}" if hint else message)
        self.message = message
        self.hint = hint


def first_line(error: BaseException) -> str:
    """Return the first line of another library's error without its period, to be quoted in one of ours."""
    line = next(iter(str(error).strip().splitlines()), type(error).__name__).strip()
    return line[:-1] if line.endswith(".") and line[-2:-1].isalnum() else line  # the dots of paths stay
