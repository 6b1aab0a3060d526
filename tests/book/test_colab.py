"""The first cell of the notebooks: run on a Colab that stands in, and held against the project."""

import json
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from set_repository import LACKING, PYTHON, address, first_cell, version, with_first_cell

from tests.book.pages import BOOK, ROOT

NOTEBOOKS = sorted(path for path in BOOK.rglob("*.ipynb") if "checkpoints" not in str(path))
COLAB = (
    "accelerate", "filelock", "ipykernel", "ipywidgets", "joblib", "matplotlib", "numpy",
    "opencv-python-headless", "pillow", "psutil", "pyyaml", "requests", "rich", "safetensors",
    "scikit-image", "scikit-learn", "scipy", "torch", "torchvision", "tqdm", "transformers",
    "typer",
)  # fmt: skip
"""What a machine on Colab has, of the packages that the library and its notebooks use."""


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def brought_along(name: str, seen: set[str]) -> set[str]:
    """A package and everything that it needs, as far as it is installed here."""
    if normal(name) in seen:
        return seen
    seen.add(normal(name))
    for line in distribution(name).requires or ():
        needed = Requirement(line)
        if not needed.marker or needed.marker.evaluate({"extra": ""}):
            brought_along(needed.name, seen)
    return seen


def imports(notebook: Path) -> list[str]:
    """The import statements of a notebook, one after another."""
    content = json.loads(notebook.read_text())
    code = ["".join(cell["source"]) for cell in content["cells"] if cell["cell_type"] == "code"]
    found = re.findall(r"^(?:from|import) [^(\n]*(?:\([^)]*\))?", "\n".join(code[1:]), re.MULTILINE)
    return [line.strip() for line in found]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_all_notebooks_begin_alike(notebook):
    text = notebook.read_text()
    assert with_first_cell(text) == text, "run `make repository`"


def test_a_first_cell_of_another_version_is_replaced_and_other_cells_are_not():
    notebook = {
        "cells": [
            {"cell_type": "markdown", "source": ["# Title"]},
            {"cell_type": "code", "source": ['if "google.colab" in sys.modules:\n', "    old"]},
            {"cell_type": "code", "source": ["print(1)"]},
        ]
    }
    new = json.loads(with_first_cell(json.dumps(notebook)))
    sources = ["".join(cell["source"]) for cell in new["cells"]]
    assert sources == ["# Title", first_cell(), "print(1)"]
    assert with_first_cell(json.dumps(new)) == json.dumps(new)
    del notebook["cells"][1]
    with pytest.raises(ValueError, match="not ours"):
        with_first_cell(json.dumps(notebook))


def test_every_dependency_is_on_colab_or_in_the_cell():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = {normal(Requirement(line).name) for line in project["dependencies"]}
    assert needed <= {normal(name) for name in (*COLAB, *LACKING)}
    for name in LACKING:
        needed |= brought_along(name, set()) if normal(name) in needed else set()
    assert {normal(name) for name in LACKING} <= needed, "nothing is installed for no use"
    assert project["requires-python"] == ">=" + ".".join(map(str, PYTHON))


RUN = """
import sys, types
from importlib.machinery import ModuleSpec
from IPython.core.interactiveshell import InteractiveShell

for name in ("google", "google.colab"):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__spec__ = ModuleSpec(name, None)
sys.version_info = eval(sys.argv[2]) or sys.version_info
InteractiveShell().run_cell(sys.argv[1]).raise_error()
import lesson, wsss_lib
print(lesson.__file__, wsss_lib.__file__)
"""


@pytest.fixture
def colab(tmp_path):
    """Run the first cell in an empty folder where git and pip only write down what they are asked.

    This git puts the tree that is being tested where the clone should be.
    """
    tools, work = tmp_path / "tools", tmp_path / "content"
    for folder in (tools, work):
        folder.mkdir()
    log = tmp_path / "asked"
    for name, deed in (("git", f'ln -s {ROOT} "${{@: -1}}"'), ("pip", "true")):
        script = f'#!/bin/bash\necho "{name} $*" >> {log}\n{deed}\n'
        (tools / name).write_text(script)
        (tools / name).chmod(0o755)

    def run(python: tuple[int, ...] = ()):
        environment = {"PATH": f"{tools}:/usr/bin:/bin", "HOME": str(tmp_path)}
        found = subprocess.run(
            [sys.executable, "-c", RUN, first_cell(), repr(python)],
            cwd=work, env=environment, capture_output=True, text=True,
        )  # fmt: skip
        return found, log.read_text().splitlines() if log.exists() else []

    return run


def test_the_cell_clones_this_version_and_installs_nothing_that_colab_has(colab, tmp_path):
    found, asked = colab()
    assert found.returncode == 0, found.stdout + found.stderr
    clone, install = asked
    assert clone == f"git clone --quiet --depth 1 --branch v{version()} {address()} wsss"
    assert install == f"pip install --quiet --no-deps ./wsss {' '.join(LACKING)}"
    lesson, library = (Path(path) for path in found.stdout.split()[-2:])
    assert lesson == tmp_path / "content" / "wsss" / "book" / "lesson.py"
    assert library == tmp_path / "content" / "wsss" / "wsss_lib" / "__init__.py"


def test_an_old_python_is_told_before_anything_is_fetched(colab):
    found, asked = colab((3, 10, 12))
    assert found.returncode != 0
    assert "Python 3.11 or newer, please" in found.stdout + found.stderr
    assert asked == []


def test_notebooks_import_nothing_that_colab_lacks(tmp_path):
    """In a process that finds no package but Colab's and the few of the first cell."""
    there = {normal(name) for name in LACKING}
    for name in COLAB:
        brought_along(name, there)
    refused = {
        module
        for module, owners in packages_distributions().items()
        if not {normal(owner) for owner in owners} & there
    } - {"wsss_lib", "data_scripts", "experiments", "__pycache__"}
    assert {"sphinx", "pytest", "pycocotools"} <= refused
    lines = sorted({line for notebook in NOTEBOOKS for line in imports(notebook)})
    assert len(lines) > 50
    guard = (
        "import sys\n"
        "from importlib.machinery import PathFinder\n"
        "class Colab(PathFinder):\n"
        "    @classmethod\n"
        "    def find_spec(cls, name, path=None, target=None):\n"
        f"        absent = name.split('.')[0] in {sorted(refused)}\n"
        "        return None if absent else super().find_spec(name, path, target)\n"
        "sys.meta_path[sys.meta_path.index(PathFinder)] = Colab\n"
    )
    widget = "import anywidget\nclass W(anywidget.AnyWidget):\n    _esm = 'x'\nW()\n"
    drawing = "import drawsvg\ndrawsvg.Drawing(10, 10).as_svg()\n"
    code = guard + "\n".join(lines) + "\n" + widget + drawing
    found = subprocess.run(
        [sys.executable, "-c", code],
        env={
            "PYTHONPATH": f"{ROOT}:{BOOK}",
            "PATH": "/usr/bin:/bin",
            # Some import parts of the toy world, which are drawn where they are not here yet.
            "WSSS_DATA": os.environ.get("WSSS_DATA", str(tmp_path)),
        },
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stderr[-3000:]
