"""Systems that learn from bounding boxes."""
