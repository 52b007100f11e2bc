"""The contracts: what every table promises, declared once. Checks, quarantine, column schemas and DDL derive from them."""
