"""Data sets, weak labels, and the view that keeps ground truth away from methods."""
