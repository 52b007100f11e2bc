"""The contracts: what every table promises, declared once. Checks, quarantine, column schemas and DDL derive from them."""

import sys
from typing import Any, cast

_MODULES = cast(dict[str, Any], sys.modules)

# Where dataframely finds SQLAlchemy, it imports it and two of its dialects, for databases that no contract is written for.
if not {"sqlalchemy", "dataframely"} & _MODULES.keys():
    _MODULES["sqlalchemy"] = None
    try:
        import dataframely  # noqa: F401
    finally:
        del _MODULES["sqlalchemy"]
