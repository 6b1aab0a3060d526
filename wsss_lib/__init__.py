"""Weakly supervised semantic segmentation, from weak label to mask."""

from importlib.metadata import version

__version__ = version("wsss-lib")
