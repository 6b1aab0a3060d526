"""Diagrams of the systems: descriptions by family, and one way to draw them."""
