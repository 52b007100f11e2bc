"""Contract of the quarantine: refused rows with the rules that they break."""

import dataframely as dy

from warehouse.contracts.contract import about, key_column


class QuarantineRows(dy.Schema):
    """One row per refused row and violated rule."""

    id = key_column("MD5 of table, key, rule, row and the number of the repetition")
    table = dy.String(nullable=False, metadata=about("name of the table that refused the row"))
    key = dy.String(nullable=False, metadata=about("key that the row would have in that table"))
    rule = dy.String(nullable=False, metadata=about("name of the violated rule"))
    row = dy.String(nullable=False, metadata=about("the refused row as JSON"))
