"""Systems that learn from points and extreme clicks."""
