"""Every error for users has the same form: a problem and a hint, each in one line and without a final period."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from models import errors as of_models
from models.errors import ModelError
from warehouse import errors as of_warehouse
from warehouse.errors import WarehouseError

ROOT = Path(__file__).parents[1]
PACKAGES = ("orchestration", "assets", "models", "warehouse")
OURS = ("WarehouseError", "UnknownKeyError", "LockedError", "ModelError")
FILLED = "…"


def _texts(node: ast.AST, named: dict[str, list[ast.expr]]) -> Iterator[str]:
    """Yield every text that an argument may have, with a placeholder without dots for each inserted value."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "".join(part.value if isinstance(part, ast.Constant) else FILLED for part in node.values)
    elif isinstance(node, ast.IfExp):
        yield from (*_texts(node.body, named), *_texts(node.orelse, named))
    elif isinstance(node, ast.BoolOp):
        for value in node.values:
            yield from _texts(value, named)
    elif isinstance(node, ast.Name):
        for value in named.get(node.id, []):
            yield from _texts(value, {})


def _sites() -> Iterator[tuple[str, list[str]]]:
    """Yield the place of each error in the code, and the possible texts of its problem and hint."""
    for path in sorted(file for package in PACKAGES for file in (ROOT / package).rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        named: dict[str, list[ast.expr]] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign | ast.AugAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                for target in targets:
                    if isinstance(target, ast.Name):
                        named.setdefault(target.id, []).append(node.value)
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in (*OURS, "ValueError"):
                texts = [text for argument in node.args for text in _texts(argument, named)]
                yield f"{path.relative_to(ROOT)}:{node.lineno}", texts


SITES = dict(_sites())


def test_the_errors_of_all_packages_are_checked():
    assert len(SITES) > 150
    assert {site.split("/")[0] for site in SITES} == set(PACKAGES)


@pytest.mark.parametrize("site", SITES)
def test_neither_problem_nor_hint_ends_or_begins_as_a_sentence(site):
    for text in SITES[site]:
        assert text == text.strip() or text.endswith(" ")  # a part that something follows
        assert not text.endswith((".", ";", ",", ":"))
        assert not any(sign in text for sign in (".;", ";;", "; ;", "\n"))
        first = text.split(" ")[0]
        assert not (first.istitle() and first.isalpha()) or first in ("Dagster", "Lance"), text


@pytest.mark.parametrize("module", [of_models, of_warehouse])
def test_of_a_foreign_error_the_first_line_is_quoted_without_its_period(module):
    assert module.first_line(ValueError("\nIt broke. \n  at line 3")) == "It broke"
    assert module.first_line(ValueError("look into ./..")) == "look into ./.."
    assert module.first_line(KeyboardInterrupt()) == "KeyboardInterrupt"


@pytest.mark.parametrize("kind", [WarehouseError, ModelError])
def test_an_error_holds_both_parts(kind):
    error = kind("it is gone", "bring it back")
    assert (error.message, error.hint, str(error)) == ("it is gone", "bring it back", "it is gone\n  bring it back")
