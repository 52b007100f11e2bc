"""Columns of a declaration: the columns of a file behind each, and what they are called in a view of its rows."""

from warehouse.declaration.source import Column, Constant, Source

ATTRIBUTE = "attribute_"
"""The prefix of the columns of a view that hold attributes."""
MISSHAPEN = "misshapen"
"""The column of a view of JSON with the values that stand where a path cannot lead: a list of (column, value, rule)."""


def declared_columns(source: Source) -> dict[str, Column]:
    """Return the declared columns by the name that they have in a view of rows, attributes with the prefix `ATTRIBUTE`."""
    attributes = {f"{ATTRIBUTE}{each.name}": each.column or each.name for each in source.attributes}
    return dict(source.columns) | attributes


def number_columns(source: Source) -> frozenset[str]:
    """Return the names, in a view of rows, of the attributes that are numbers or money."""
    return frozenset(f"{ATTRIBUTE}{each.name}" for each in source.attributes if each.has_decimals)


def declared_names(source: Source) -> set[str]:
    """Return the names of all columns of a file that are declared."""
    return {name for column in declared_columns(source).values() for name in file_columns(column)}


def file_columns(column: Column) -> tuple[str, ...]:
    """Return the columns of the file behind a declared column; of a constant none."""
    if isinstance(column, Constant):
        return ()
    return (column,) if isinstance(column, str) else column
