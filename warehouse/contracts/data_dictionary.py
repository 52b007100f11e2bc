"""Contracts of the registry: every table and feature as its declaration has it, and where its columns come from."""

import dataframely as dy

from warehouse.contracts.contract import about, key_column


class RegistryTables(dy.Schema):
    """One row per table of the lake, as its contract declares it."""

    table_name = key_column("schema.name, as SQL knows it")
    grain = dy.String(nullable=False, metadata=about("what one row of the table stands for"))
    key_column = dy.String(nullable=False, metadata=about("the column that names a row"))
    column_count = dy.Int32(nullable=False, metadata=about("declared columns, a count"))
    rules = dy.List(dy.String(), nullable=False, metadata=about("the rules that its check verifies, by name"))
    description = dy.String(nullable=False, metadata=about("the whole of what the declaration says"))
    source = dy.String(nullable=True, metadata=about("the SQL file that makes the rows, where one does"))


class RegistryFeatures(dy.Schema):
    """One row per feature: a column of a feature table, as its contract declares it."""

    feature = key_column("schema.table.column")
    table_name = dy.String(nullable=False, metadata=about("the feature table"))
    column_name = dy.String(nullable=False, metadata=about("the column in it"))
    type = dy.String(nullable=False, metadata=about("its type in SQL"))
    nullable = dy.Bool(nullable=False, metadata=about("whether a value may be missing"))
    meaning = dy.String(nullable=False, metadata=about("what it means"))
    tower = dy.String(
        nullable=True, metadata=about("how it enters the towers: numeric or categorical; null: it does not")
    )
    rules = dy.List(dy.String(), nullable=False, metadata=about("the rules that look at it, by name"))
    source = dy.String(nullable=True, metadata=about("the SQL file that computes it"))


class RegistryLineage(dy.Schema):
    """One row per column and column that it is made from, one step up; the last step up is a column of a file."""

    key = key_column("table_name.column_name < source_table.source_column")
    table_name = dy.String(nullable=False, metadata=about("the table, or vectors.products"))
    column_name = dy.String(nullable=False, metadata=about("its column"))
    source_table = dy.String(nullable=False, metadata=about("the table that the value comes from, or the file's name"))
    source_column = dy.String(nullable=False, metadata=about("its column"))
    made_by = dy.String(nullable=False, metadata=about("the SQL file, the Python function or the source that makes it"))
