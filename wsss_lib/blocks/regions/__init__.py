"""Regions of an image that need no labels: superpixels, edges, object proposals, sets of masks."""
