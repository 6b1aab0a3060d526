"""Class maps: how networks answer with them, how they are pooled, normalised and cut."""
