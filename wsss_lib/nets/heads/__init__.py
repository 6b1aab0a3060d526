"""What stands on a backbone: classifiers, class tokens, segmentation heads."""
