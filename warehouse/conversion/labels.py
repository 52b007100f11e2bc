"""Labels: spellings and grades of judgements, and the refusals of rules that do not fit them."""

import json
from collections.abc import Mapping

import duckdb

from warehouse.declaration.source import Label, Labels
from warehouse.errors import WarehouseError
from warehouse.wording import counted

SPELLINGS: Mapping[Label, tuple[str, ...]] = {
    "E": ("e", "exact"),
    "S": ("s", "substitute"),
    "C": ("c", "complement"),
    "I": ("i", "irrelevant"),
}
"""The spellings of each label where none are declared."""
SPLITS = {
    "train": ("train", "training", "dev", "development", "valid", "validation", "val"),
    "test": ("test", "testing", "eval", "evaluation", "holdout"),
}
"""The spellings of each split. A build draws validation queries of its own from train, so given ones are train."""
_MEANINGS = {"E": "Exact", "S": "Substitute", "C": "Complement", "I": "Irrelevant"}
_MOST = 10


def spell(connection: duckdb.DuckDBPyConnection, labels: Labels) -> None:
    """Create the tables `spellings` and `splits`: (spelling without case and blanks, what it stands for)."""
    for table, column, names in (("spellings", "label", labels.values or SPELLINGS), ("splits", "split", SPLITS)):
        pairs = [(spelling, meaning) for meaning, spellings in names.items() for spelling in spellings]
        connection.execute(
            f"CREATE TEMP TABLE {table} AS SELECT DISTINCT spelled(unnest($spellings::VARCHAR[])) AS spelling, "
            f"unnest($meanings) AS {column}",
            {"spellings": [spelling for spelling, _ in pairs], "meanings": [meaning for _, meaning in pairs]},
        )


def refuse_unknown(connection: duckdb.DuckDBPyConnection, labels: Labels, files: str) -> None:
    """Refuse a source without any known label, or with thresholds and without any grade.

    Raises:
        WarehouseError: The message has the most frequent values, the hint a rule to begin with.
    """
    if connection.execute("FROM judgement_rows WHERE label IS NOT NULL LIMIT 1").fetchone():
        return
    frequent = connection.execute(
        "SELECT label, count(*) FROM source_rows WHERE NOT is_blank(label) GROUP BY label ORDER BY 2 DESC, 1 LIMIT $1",
        [_MOST],
    ).fetchall()
    if not frequent:
        return
    found = ", ".join(f"{value!r} ({counted(rows, 'row')})" for value, rows in frequent)
    grades = connection.execute(
        "SELECT DISTINCT grade_of(label)::DOUBLE FROM source_rows ORDER BY 1 DESC NULLS LAST"
    ).fetchall()
    if labels.thresholds:
        problem, hint = "no label is a number, as thresholds need", _hint_of_values(frequent[0][0])
    elif grades[0][0] is not None:
        problem, hint = "no label is known", _hint_of_thresholds([grade for (grade,) in grades if grade is not None])
    else:
        problem, hint = "no label is known", _hint_of_values(frequent[0][0])
    raise WarehouseError(f"{files}: {problem}; the column has {found}", hint)


def refuse_empty(connection: duckdb.DuckDBPyConnection, labels: Labels, files: str) -> None:
    """Refuse thresholds of which one gives its label to no judgement.

    Raises:
        WarehouseError: The message has the label and the distribution of the grades, the hint other thresholds.
    """
    thresholds = labels.thresholds or {}
    present = {label for (label,) in connection.execute("SELECT DISTINCT label FROM judgement_pairs").fetchall()}
    empty = [label for label in thresholds if label not in present]
    if not present or not empty:
        return
    by_grade = connection.execute(
        "SELECT grade::DOUBLE, count(*) FROM judgement_rows WHERE len(problems) = 0 GROUP BY grade ORDER BY grade DESC"
    ).fetchall()
    if len(by_grade) <= _MOST:
        spread = ", ".join(f"{grade:g} ({counted(rows, 'row')})" for grade, rows in by_grade)
    else:
        query = "SELECT quantile_disc(grade::DOUBLE, [0, .25, .5, .75, 1]) FROM judgement_rows WHERE len(problems) = 0"
        ((quantiles,),) = connection.execute(query).fetchall()
        spread = "least {:g}, quartiles {:g}, {:g} and {:g}, highest {:g}".format(*quantiles)
    label = empty[0]
    raise WarehouseError(
        f"{files}: no judgement is {_MEANINGS[label]} by the threshold {label} = {thresholds[label]:g}; the grades are {spread}",
        _hint_of_thresholds([grade for grade, _ in by_grade]),
    )


def _hint_of_values(spelling: str) -> str:
    value = json.dumps(spelling, ensure_ascii=False)
    return f"name the spellings of each label in the source, such as: labels.values = {{ E = [{value}] }}"


def _hint_of_thresholds(grades: list[float]) -> str:
    """Return the hint with the highest grades as thresholds, or with quarters if the grades are many."""
    size = len(grades)
    best = grades[: max(1, min(3, size - 1))] if size <= _MOST else [grades[size * part // 4] for part in (1, 2, 3)]
    thresholds = ", ".join(f"{label} = {grade:g}" for label, grade in zip("ESC", best, strict=False))
    return f"say the lowest grade of each label in the source, such as: labels.thresholds = {{ {thresholds} }}"
