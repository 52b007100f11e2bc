"""The contracts: the columns and rules of every table, declared once. Checks, quarantine and DDL are derived from them."""

import sys
from typing import Any, cast

_MODULES = cast(dict[str, Any], sys.modules)

# If SQLAlchemy is installed, dataframely imports it and two of its dialects, which no contract uses.
if not {"sqlalchemy", "dataframely"} & _MODULES.keys():
    _MODULES["sqlalchemy"] = None
    try:
        import dataframely  # noqa: F401
    finally:
        del _MODULES["sqlalchemy"]
