"""Refiners: what pulls scores or sparse labels towards the edges of an image."""
