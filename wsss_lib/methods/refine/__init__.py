"""Refiners: scores in, better scores out."""
