"""Plain wording: rewrite pydantic's validation messages as plain English."""

import re
from collections.abc import Mapping
from typing import Any

_PLAIN = (
    (r"^Value error, ", ""),
    (r"\.$", ""),
    (r", (unable to|got) .*$", ""),
    (r"^(Input|String|Value|List|Tuple) should ", "must "),
    (r"^Input is ", "is "),
    (r"^Field required$", "is missing"),
    (r"greater than or equal to ", "at least "),
    (r"less than or equal to ", "at most "),
    (r"greater than ", "more than "),
    (r"a valid integer", "a whole number"),
    (r"a valid number", "a number"),
    (r"a valid boolean", "true or false"),
    (r"a valid string", "text"),
    (r"a valid (list|tuple|array)", "a list"),
    (r"a valid dictionary( or instance of \w+)?", "a section"),
)


def fault(error: Mapping[str, Any]) -> str:
    """Return the message of a validation error in plain English, to follow the setting's name: `must be at least 1`."""
    text = str(error["msg"])
    for theirs, plain in _PLAIN:
        text = re.sub(theirs, plain, text)
    return text
