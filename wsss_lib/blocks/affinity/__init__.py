"""Affinities between pixels or patches, and the random walk that spreads class maps along them."""
