"""Segmentation networks, trained on the scores of an earlier stage."""
