"""Systems that add up many maps."""
