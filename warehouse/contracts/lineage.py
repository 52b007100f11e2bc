"""Contract of the lineage: where every column comes from."""

import dataframely as dy

from warehouse.contracts.contract import about, key_column


class RegistryLineage(dy.Schema):
    """One row per column and column that it is made from, one step up; the last step up is a column of a file."""

    key = key_column("table_name.column_name < source_table.source_column")
    table_name = dy.String(nullable=False, metadata=about("the table, or vectors.products"))
    column_name = dy.String(nullable=False, metadata=about("its column"))
    source_table = dy.String(nullable=False, metadata=about("the table that the value comes from, or the file's name"))
    source_column = dy.String(nullable=False, metadata=about("its column"))
    made_by = dy.String(nullable=False, metadata=about("the SQL file, the Python function or the source that makes it"))
