"""Copy the repository of ``_config.yml`` and the version into all notebooks and pages.

python book/_ext/set_repository.py
"""

import re
import tomllib
from pathlib import Path
from urllib.parse import urlparse

import yaml

ROOT = Path(__file__).resolve().parents[2]


def address() -> str:
    """The repository's address, from the one place where it stands."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    return str(config["repository"]["url"])


def version() -> str:
    """The version of library and book."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return str(project["project"]["version"])


def on_colab() -> str:
    """Where Colab opens a notebook at the version of this book; its path below ``book`` follows."""
    repository = urlparse(address()).path.strip("/")
    return f"https://colab.research.google.com/github/{repository}/blob/v{version()}/book/"


def updated(text: str) -> str:
    """The text with every clone and every link to Colab at the current address and version."""
    text = re.sub(r"(git clone [^\n]*?)https://\S+?(?=[\s\"\\])", rf"\g<1>{address()}", text)
    text = re.sub(r'(\bhome = \\?")https://[^"\\]+', rf"\g<1>{address()}", text)
    text = re.sub(r"https://colab\.research\.google\.com/github/\S+?/book/", on_colab(), text)
    return re.sub(r"--branch v[\w.]+", f"--branch v{version()}", text)


def main() -> None:
    """Rewrite what differs."""
    for path in [
        *(ROOT / "book").rglob("*.ipynb"),
        *(ROOT / "book").rglob("*.md"),
        ROOT / "README.md",
    ]:
        text = path.read_text(encoding="utf-8")
        if updated(text) != text:
            path.write_text(updated(text), encoding="utf-8")


if __name__ == "__main__":
    main()
