"""Losses of the towers."""
