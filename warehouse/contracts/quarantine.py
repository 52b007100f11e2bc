"""Contract of the quarantine: rows that broke a rule, kept with the reason."""

import dataframely as dy

from warehouse.contracts.contract import about, key_column


class QuarantineRows(dy.Schema):
    """One row per rejected row and violated rule."""

    id = key_column("md5 of table, key, rule, row and occurrence")
    table = dy.String(nullable=False, metadata=about("the table that refused the row"))
    key = dy.String(nullable=False, metadata=about("key of the row in that table"))
    rule = dy.String(nullable=False, metadata=about("name of the violated rule"))
    row = dy.String(nullable=False, metadata=about("the row as JSON"))
