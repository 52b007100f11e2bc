"""The digest of code depends on its behavior, not on its text."""

import importlib.util
import sys

import dataframely as dy
import pytest

from warehouse.code_digest import code_digest
from warehouse.contracts.contract import Contract, about, key_column

CODE = '''"""A module."""
LIMIT = 3


def take(rows):
    """Take some."""
    # as many as there are
    return rows[:LIMIT]
'''


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Return a function that makes a module from source code."""
    made = 0

    def make(source):
        nonlocal made
        path = tmp_path / f"made_{(made := made + 1)}.py"
        path.write_text(source)
        spec = importlib.util.spec_from_file_location(path.stem, path)
        loaded = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, path.stem, loaded)
        spec.loader.exec_module(loaded)
        return loaded

    return make


def test_words_do_not_count(module):
    reworded = CODE.replace("A module.", "Another.").replace("Take some.", "Take a few.").replace("# as many", "# few")
    assert code_digest(module(CODE)) == code_digest(module(reworded.replace("return", "\n    return")))


@pytest.mark.parametrize(
    ("old", "new"), [("LIMIT = 3", "LIMIT = 4"), ("[:LIMIT]", "[LIMIT:]"), ("(rows)", "(rows=())")]
)
def test_code_counts(module, old, new):
    assert code_digest(module(CODE)) != code_digest(module(CODE.replace(old, new)))


class Mug(dy.Schema):
    """One row per mug."""

    key = key_column("the mug")
    handles = dy.Int64(nullable=False, metadata=about("how many handles"))


class NullableMug(dy.Schema):
    """One row per mug."""

    key = key_column("the mug")
    handles = dy.Int64(nullable=True, metadata=about("how many handles"))


class TowerMug(dy.Schema):
    """One row per mug."""

    key = key_column("the mug")
    handles = dy.Int64(nullable=False, metadata=about("how many handles", tower="numeric"))


def test_the_version_of_a_contract_is_that_of_its_columns_and_rules() -> None:
    versions = [Contract("raw.mugs", each).version for each in (Mug, NullableMug, TowerMug)]
    assert len(set(versions)) == 3


SCHEMA = '''import dataframely as dy
import polars as pl
from warehouse.contracts.contract import about, key_column


class Mug(dy.Schema):
    """One row per mug."""

    key = key_column("the mug")
    handles = dy.Int64(nullable=False, metadata=about("how many handles"))

    @dy.rule()
    def has_few(cls):
        """A mug has few handles."""
        return pl.col("handles") < 3
'''


def test_the_descriptions_of_a_contract_do_not_count(module):
    reworded = (
        SCHEMA.replace("the mug", "which mug").replace("how many handles", "a count").replace("has few h", "has no h")
    )
    first, second = (Contract("raw.mugs", module(source).Mug).version for source in (SCHEMA, reworded))
    assert first == second
    assert first != Contract("raw.mugs", module(SCHEMA.replace("< 3", "< 4")).Mug).version
