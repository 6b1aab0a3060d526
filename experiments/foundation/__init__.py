"""What the tiny foundation models learn, and how good they then are."""
