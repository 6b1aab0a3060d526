"""Systems that separate classes from what they always appear with."""
