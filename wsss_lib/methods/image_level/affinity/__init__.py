"""Spreading maps along learned affinities."""
