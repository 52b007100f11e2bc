"""Declared sources: files of any shape, read into the columns of the raw tables."""
