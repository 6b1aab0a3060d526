"""Networks of systems that learn from scribbles and points."""
