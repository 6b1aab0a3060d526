"""Backbones: features of an image at several depths."""
