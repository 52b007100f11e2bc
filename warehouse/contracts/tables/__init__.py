"""The contracts of the tables, a module for each schema of the lake."""
