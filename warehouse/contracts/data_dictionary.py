"""Contracts of the data dictionary: every table and feature as declared, and the lineage of their columns."""

import dataframely as dy

from warehouse.contracts.contract import about, key_column


class RegistryTables(dy.Schema):
    """One row per table of the lake, as declared in its contract."""

    table_name = key_column("schema.name, as in SQL")
    grain = dy.String(nullable=False, metadata=about("meaning of one row of the table"))
    key_column = dy.String(nullable=False, metadata=about("name of the key column"))
    column_count = dy.Int32(nullable=False, metadata=about("number of declared columns"))
    rules = dy.List(dy.String(), nullable=False, metadata=about("names of the rules that the contract check verifies"))
    description = dy.String(nullable=False, metadata=about("full description of the table"))
    source = dy.String(nullable=True, metadata=about("SQL file that computes the rows; null if Python computes them"))


class RegistryFeatures(dy.Schema):
    """One row per feature, which is a column of a feature table, as declared in the table's contract."""

    feature = key_column("schema.table.column")
    table_name = dy.String(nullable=False, metadata=about("name of the feature table"))
    column_name = dy.String(nullable=False, metadata=about("name of the column in that table"))
    type = dy.String(nullable=False, metadata=about("SQL type of the column"))
    nullable = dy.Bool(nullable=False, metadata=about("whether the column may be null"))
    meaning = dy.String(nullable=False, metadata=about("meaning of the column"))
    tower = dy.String(
        nullable=True,
        metadata=about("how the towers read the feature: numeric or categorical; null: no tower reads it"),
    )
    rules = dy.List(dy.String(), nullable=False, metadata=about("names of the rules on the column"))
    source = dy.String(
        nullable=True, metadata=about("SQL file that computes the feature; null for a time-series feature")
    )


class RegistryLineage(dy.Schema):
    """One row per column and direct source column. The source of a raw or time-series column is a column of a file."""

    key = key_column("table_name.column_name < source_table.source_column")
    table_name = dy.String(nullable=False, metadata=about("name of the table, or vectors.products"))
    column_name = dy.String(nullable=False, metadata=about("name of the column"))
    source_table = dy.String(nullable=False, metadata=about("name of the source table, or of the source file"))
    source_column = dy.String(nullable=False, metadata=about("name of the source column"))
    made_by = dy.String(nullable=False, metadata=about("SQL file, Python module or source that computes the column"))
