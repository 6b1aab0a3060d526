"""Systems that learn from scribbles."""
