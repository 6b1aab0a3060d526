"""Copy the repository of ``_config.yml`` and the version into all notebooks and pages.

python book/_ext/set_repository.py
"""

import re
import tomllib
from pathlib import Path

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


def updated(text: str) -> str:
    """The text with every ``git clone`` naming the current address and version."""
    text = re.sub(r"(git clone [^\n]*?)https://\S+?(?=[\s\"\\])", rf"\g<1>{address()}", text)
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
