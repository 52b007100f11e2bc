"""Digests of versions, and of code independent of its comments, docstrings and formatting."""

import ast
import hashlib
import inspect
import textwrap
from collections.abc import Callable
from types import ModuleType
from typing import Any

Source = ModuleType | type[Any] | Callable[..., Any]


def code_digest(*sources: Source, simplify: Callable[[ast.Call], ast.Call] = lambda call: call) -> str:
    """Return 16 hex digits that change when the code of modules, classes or functions does.

    Args:
        sources: The modules, classes or functions; their imports do not count.
        simplify: Returns a call without the parts that do not count.
    """
    trees = [_WithoutWords(simplify).visit(ast.parse(textwrap.dedent(inspect.getsource(each)))) for each in sources]
    return digest(*map(ast.unparse, trees))


def digest(*parts: str) -> str:
    """Return a short name for a combination of versions: 16 hex digits of their SHA-256."""
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:16]


class _WithoutWords(ast.NodeTransformer):
    """Remove docstrings; the parser has dropped comments already."""

    def __init__(self, simplify: Callable[[ast.Call], ast.Call]) -> None:
        self._simplify = simplify

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        is_text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return ast.Pass() if is_text else self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        return self.generic_visit(self._simplify(node))
