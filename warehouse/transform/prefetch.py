"""Prefetch: compute the next item of an iterator in another thread while the caller processes the last one."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, cast

T = TypeVar("T")
_END = object()


def ahead(items: Iterable[T]) -> Iterator[T]:
    """Yield the items in order, with at most one computed in advance.

    An exception from the computation of an item is raised when that item is requested.
    """
    coming = iter(items)
    with ThreadPoolExecutor(1) as pool:
        item = pool.submit(next, coming, _END)
        while (result := item.result()) is not _END:
            item = pool.submit(next, coming, _END)
            yield cast(T, result)
