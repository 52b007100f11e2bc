"""The one error that the models raise for what a user can mend."""


class ModelError(Exception):
    """Say in one line what is wrong and how to mend it."""

    def __init__(self, message: str, mend: str = "") -> None:
        super().__init__(f"{message}\n  {mend}" if mend else message)
        self.message = message
        self.mend = mend
