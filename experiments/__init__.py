"""Measurements behind the book: each writes JSON below ``results/``."""
