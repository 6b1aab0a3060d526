"""Where the book is."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BOOK = ROOT / "book"
HTML = ROOT / "_build" / "smoke" / "_build" / "html"
"""The smoke book: tests never touch the one that is read."""
