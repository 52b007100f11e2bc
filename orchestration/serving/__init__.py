"""Answers from the live release: search and lookup, and a client of the service that gives the same over HTTP.

`from orchestration.serving import Searcher, Lookup, Client` imports each class on its first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestration.serving.client import Client
    from orchestration.serving.hits import Answer, Hit
    from orchestration.serving.lookup import Lookup
    from orchestration.serving.searcher import Searcher

__all__ = ["Answer", "Client", "Hit", "Lookup", "Searcher"]

_MODULES = {"Answer": "hits", "Client": "client", "Hit": "hits", "Lookup": "lookup", "Searcher": "searcher"}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
