"""Systems that use labels of another kind besides tags, such as saliency."""
