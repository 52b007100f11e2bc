"""The contracts: the columns and rules of every table, declared once. Checks, quarantine and DDL are derived from them."""
