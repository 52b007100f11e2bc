"""Ranking: the order of the candidates that vector and text leg found, by a fixed rule or a learned one."""
