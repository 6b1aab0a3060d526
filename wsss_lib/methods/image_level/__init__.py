"""Learning from image labels."""
