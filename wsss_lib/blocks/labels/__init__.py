"""Weak labels and pseudo-labels as label images."""
