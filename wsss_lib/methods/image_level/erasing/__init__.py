"""Systems that erase what was found, to find more."""
