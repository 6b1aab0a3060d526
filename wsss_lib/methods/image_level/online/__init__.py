"""Systems that learn and use their pseudo-labels in one training."""
