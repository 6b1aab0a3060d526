"""Backbones, heads and networks that answer for every pixel."""
