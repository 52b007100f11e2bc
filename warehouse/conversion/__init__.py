"""Rows of text into the columns of the raw tables."""
