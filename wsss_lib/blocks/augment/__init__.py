"""Changes of an image or of its features while a network learns: erasing, pasting, dropping."""
