"""The file of search rules alone: handed to an apply, it replaces every rule and nothing else."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from warehouse.contracts.contract import split_rows
from warehouse.contracts.registry import CONTRACTS
from warehouse.errors import WarehouseError
from warehouse.ingest.sources import SEARCH_RULES, SOURCE_SPECS, InputFile, check
from warehouse.lake import tables
from warehouse.lake.lake import Lake, connect
from warehouse.paths import plain_path
from warehouse.readers.file_advice import no_file
from warehouse.readers.file_hash import sha256

_SPEC = next(each for each in SOURCE_SPECS if each.file_name == SEARCH_RULES)
_FILES = CONTRACTS["raw.files"]


def split_files(paths: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    """Return the files of search rules, which have its name, and the others.

    Raises:
        WarehouseError: There are several files of search rules, of which each would replace the others.
    """
    every = list(paths)
    rules = [path for path in every if path.name == SEARCH_RULES]
    if len(rules) > 1:
        raise WarehouseError(f"{rules[0]} and {rules[1]} would each replace the rules of the other", "give one of them")
    return rules, [path for path in every if path.name != SEARCH_RULES]


def check_rules_file(path: Path) -> InputFile:
    """Check a file of search rules.

    Raises:
        WarehouseError: The file is missing, cannot be read or lacks a column, or each of its lines breaks a rule.
    """
    if not path.is_file():
        raise no_file(path, "give the path of a CSV file of search rules")
    new_columns = check(path, _SPEC)
    with connect(1.0) as connection:
        query = f"SELECT {_SPEC.key_sql} AS key, {_SPEC.columns_sql} FROM {_SPEC.source_sql}"
        lines = connection.execute(query, {"path": str(plain_path(path))}).pl()
    good, violations = split_rows(_SPEC.contract, lines)
    if lines.height and good.is_empty():
        first = ", ".join(f"{key} {rule}" for key, rule in violations.select("key", "rule").head(3).iter_rows())
        raise WarehouseError(
            f"{path}: every line breaks a rule: {first}", "correct the file; a file of the header alone ends all rules"
        )
    return InputFile(_SPEC, path, sha256(path), path.stat().st_size, datetime.now(UTC), new_columns)


def is_ingested(lake: Lake, file: InputFile) -> bool:
    """Tell whether the rules of the lake are those of a file."""
    with lake.reading() as connection:
        if not tables.exists(connection, _FILES.table):
            return False
        query = f"SELECT count(*) FROM {_FILES.table} WHERE key = ? AND input_hash = ?"
        (count,) = connection.execute(query, [_SPEC.table, file.input_hash]).fetchone() or (0,)
    return bool(count)
