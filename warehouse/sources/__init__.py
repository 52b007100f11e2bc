"""Declared sources as a folder that the full ingest reads, and how files of one's own are declared."""
