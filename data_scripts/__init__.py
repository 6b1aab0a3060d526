"""Get, verify and convert real data sets: ``python -m data_scripts.voc data/voc2012``."""
