"""Setting names: the list of all names, and the names that resemble a misspelled one."""

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel

_NAMED = 3
_LAST_ALIKE, _WHOLE_ALIKE = 0.7, 0.85


def names(model: type[BaseModel], prefix: str = "") -> list[str]:
    """Return every setting of a model by its dotted name, in the order of declaration."""
    return [
        f"{prefix}{name}"
        for field, info in model.model_fields.items()
        for name in (
            [field, *names(info.annotation, f"{field}.")] if _is_model(info.annotation) else [field]  # type: ignore[arg-type]
        )
    ]


def near(name: str, known: Sequence[str]) -> list[str]:
    """Return up to three known names that resemble a misspelled name.

    Names with a similar last part win: those in the same section if there are any, else those in any section. If no last part
    is similar, the whole names are compared.
    """
    section, _, last = name.rpartition(".")
    words = get_close_matches(last, {_last(each): None for each in known}, n=_NAMED, cutoff=_LAST_ALIKE)
    alike = [each for word in words for each in known if _last(each) == word]
    inside = [each for each in alike if each.rpartition(".")[0] == section]
    return (inside or alike or get_close_matches(name, known, n=_NAMED, cutoff=_WHOLE_ALIKE))[:_NAMED]


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def siblings(model: type[BaseModel], path: Sequence[str | int]) -> list[str]:
    """Return the valid names in the place of a path's last part, within a section or within an item of a list."""
    for part in path[:-1]:
        if isinstance(part, str):
            field = model.model_fields.get(part)
            inner = next((each for each in _models(field.annotation if field else None)), None)
            if inner is None:
                return []
            model = inner
    return list(model.model_fields)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models in an annotation, such as that of `tuple[FeatureView, ...]`."""
    if _is_model(annotation):
        yield annotation
    for each in get_args(annotation):
        yield from _models(each)


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
