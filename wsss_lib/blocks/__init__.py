"""Building blocks: pure functions of tensors that several papers share."""
