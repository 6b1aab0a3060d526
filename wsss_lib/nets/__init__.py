"""Backbones and segmentation networks."""
