"""What a fresh machine relies on: the lock file, the two commands, the licences."""

import re
import shutil
import subprocess
import tomllib

import pytest
import yaml
from set_repository import address, on_colab, updated, version


@pytest.fixture(scope="module")
def project(root):
    return tomllib.loads((root / "pyproject.toml").read_text())["project"]


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_lock_pins_versions_and_names_no_host(root):
    lines = (root / "requirements.lock").read_text().splitlines()
    assert all(re.match(r"[\w.-]+==[\w.+]+( ; .+)?$", line) for line in lines)
    assert "://" not in "".join(lines)


def test_lock_holds_every_dependency(root, project):
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["book"], *extras["dev"]]
    locked = {
        normal(line.split("==")[0]) for line in (root / "requirements.lock").read_text().split("\n")
    }
    missing = {normal(re.match(r"[\w.-]+", name)[0]) for name in wanted} - locked
    assert not missing, "run `make lock`"


def test_the_two_commands_are_there(root):
    make = shutil.which("make")
    if not make:
        pytest.skip("needs make")
    shown = subprocess.run([make, "help"], cwd=root, capture_output=True, text=True, check=True)
    assert {"book", "test"} <= {line.split()[0] for line in shown.stdout.splitlines() if line}
    planned = subprocess.run([make, "-n", "test"], cwd=root, capture_output=True, text=True)
    assert planned.returncode == 0, planned.stderr
    for step in ("ruff check", "ruff format --check", "mypy", "jupyter-book build", "pytest"):
        assert step in planned.stdout
    assert "make test" in (root / ".ci" / "run").read_text()


def test_licences_and_citation_agree(root, project):
    citation = yaml.safe_load((root / "CITATION.cff").read_text())
    assert str(citation["version"]) == project["version"]
    assert citation["license"] == project["license"] == "MIT"
    assert "MIT License" in (root / "LICENSE").read_text()
    assert "CC-BY-4.0" in (root / "LICENSE-TEXT").read_text()
    assert "the wsss_lib authors" in (root / "LICENSE").read_text()


def test_the_build_is_strict(root):
    config = yaml.safe_load((root / "_config.yml").read_text())
    assert config["execute"]["raise_on_error"] is True
    assert config["execute"]["execute_notebooks"] == "cache"
    command = (root / "Makefile").read_text()
    assert re.search(r"rm -rf [^#]*/\.jupyter_cache\n[^#]*execute_pages", command), "a new cache"
    assert re.search(r"jupyter-book build[^#]*-W --keep-going -n --all", command)


def test_notebooks_are_cloned_and_opened_at_one_address_and_version():
    old = (
        '"[Open in Colab](https://colab.research.google.com/github/a/b/blob/main/book/x/y.ipynb)",'
        '"    home = \\"https://example.org/a/b\\"\\n",'
        '"    !git clone --quiet --depth 1 --branch v0.0.1 {home} wsss\\n"'
    )
    assert updated(old) == (
        f'"[Open in Colab]({on_colab()}x/y.ipynb)",'
        f'"    home = \\"{address()}\\"\\n",'
        f'"    !git clone --quiet --depth 1 --branch v{version()} {{home}} wsss\\n"'
    )
    assert f"/blob/v{version()}/" in on_colab()
    assert updated(updated(old)) == updated(old)
