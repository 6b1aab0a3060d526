"""The survey's tree: one paper, one file, one class."""
