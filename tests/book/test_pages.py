"""The built book: whole, light, described in words, and with buttons that lead somewhere."""

import ast
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest
import yaml
from bs4 import BeautifulSoup
from execute_pages import page_names
from lesson import COLUMNS
from set_repository import on_colab, version

from tests.book.pages import BOOK, ROOT

NOTEBOOKS = sorted(path for path in BOOK.rglob("*.ipynb") if "checkpoints" not in str(path))
PAGES = page_names()
LOOPS = (ast.For, ast.While, ast.ListComp, ast.DictComp, ast.SetComp, ast.GeneratorExp)
UNTRAINED = {
    "clip_to_masks", "sam_to_masks", "ten_minutes", "real_clip_and_sam", "prototypes_by_hand",
    "masks_from_boxes_by_hand", "filling_rates_by_hand", "clicks_by_hand", "panoptic_by_hand",
    "words_as_tokens_by_hand", "regularised_losses_by_hand", "spreading_labels_by_hand",
}  # fmt: skip
"""Notebooks that train nothing. *CAM from scratch* has a loop of its own, beside `fit`."""
TRAININGS = {"pets": 5, "your_own_segmenter": 2}
"""Chains that notebooks train which are no look at one system; the others train one at most."""
PHOTOGRAPHS = {
    "bring_your_own_photographs", "ten_minutes", "real_clip_and_sam", "your_own_segmenter",
}  # fmt: skip
"""Notebooks on pictures that are all shown or named, or on the reader's own."""


def cells(notebook: Path, kind: str) -> list[str]:
    """Sources of the cells of a notebook."""
    content = json.loads(notebook.read_text())
    return ["".join(cell["source"]) for cell in content["cells"] if cell["cell_type"] == kind]


def python(source: str) -> ast.Module:
    """A cell without its shell lines."""
    lines = [line for line in source.splitlines() if not line.lstrip().startswith(("!", "%"))]
    text = "\n".join(lines)
    return ast.parse(text.replace("in sys.modules:\n", "in sys.modules:\n    pass\n"))


def test_code_on_pages_is_not_cut_at_the_right():
    for path in BOOK.rglob("*.md"):
        fences = re.findall(r"(?ms)^(`{3,})\w+\n(.*?)^\1", path.read_text())
        lines = [line for _, code in fences for line in code.splitlines()]
        assert [line for line in lines if len(line) > 76] == [], path


def trainings(node: ast.AST, times: int = 1) -> int:
    """How many systems code trains as the library does; what stands in a loop counts twice.

    A pair is one system, beside a control that lacks its idea.
    """
    times *= 1 + isinstance(node, LOOPS)
    called = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
    inside = sum(trainings(child, times) for child in ast.iter_child_nodes(node))
    return times * (called in ("train_live", "train_pair", "fit", "run")) + inside


def name_of(path: Path) -> str:
    return str(path.relative_to(BOOK))


def test_the_table_of_contents_lists_every_page():
    files = [*BOOK.rglob("*.md"), *NOTEBOOKS]
    assert sorted(str(path.relative_to(BOOK).with_suffix("")) for path in files) == sorted(PAGES)


def test_every_page_is_built(pages):
    assert [name for name, path in pages.items() if not path.is_file()] == []


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=name_of)
class TestNotebooks:
    def test_no_outputs_are_committed(self, notebook):
        content = json.loads(notebook.read_text())
        for cell in content["cells"]:
            assert not cell.get("outputs")
            assert cell.get("execution_count") is None
        assert content["metadata"]["kernelspec"]["name"] == "python3"

    def test_installs_in_its_first_cell_alone(self, notebook):
        """``test_colab.py`` looks at that cell."""
        assert not any("pip install" in cell for cell in cells(notebook, "code")[1:])

    def test_says_what_it_teaches_and_costs(self, notebook):
        opening = cells(notebook, "markdown")[0]
        assert opening.startswith("# ")
        rows = re.findall(r"^\| \*\*(.+?)\*\* \| (.+?) \|$", opening, re.MULTILINE)
        assert [name for name, _ in rows] == [
            "You will learn", "On two CPU cores", "On a T4", "Memory", "Seed",
        ]  # fmt: skip
        assert re.search("minute|second", dict(rows)["On two CPU cores"])
        # Nobody has measured on a T4 yet, so every figure for it is an estimate, and says so.
        assert re.search("estimate|no use", dict(rows)["On a T4"])

    def test_opens_on_colab_at_the_version_of_the_book(self, notebook):
        link = f"[Open in Colab]({on_colab()}{name_of(notebook)})"
        assert link in cells(notebook, "markdown")[0]
        assert f"--branch v{version()} " in cells(notebook, "code")[0]

    def test_lines_of_code_fit_the_page(self, notebook):
        lines = [line for source in cells(notebook, "code") for line in source.splitlines()]
        assert [line for line in lines if len(line) > COLUMNS] == []
        assert not any("inspect" in line for line in lines), "show_source wraps what it prints"

    def test_hides_the_plumbing(self, notebook):
        for source in cells(notebook, "code")[1:]:
            assert not re.search(r"\bMODE\b|environ|^import (os|sys)\b", source, re.MULTILINE)

    def test_chooses_its_pictures_by_rule(self, notebook):
        sources = "\n".join(cells(notebook, "code"))
        assert not re.search(r"\b(train|val)_\d{4}\b", sources)
        by_rule = re.search(r"\b(chosen|ranked)\(|\.extremes\b", sources)
        assert by_rule or notebook.stem in PHOTOGRAPHS

    def test_trains_at_most_one_system(self, notebook):
        found = sum(trainings(python(source)) for source in cells(notebook, "code"))
        assert found == TRAININGS.get(notebook.stem, notebook.stem not in UNTRAINED)

    def test_defines_no_class_and_no_training_loop(self, notebook):
        """CAM from scratch writes the loop once, in the open."""
        loops = 0
        for source in cells(notebook, "code"):
            tree = python(source)
            assert not [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
            loops += bool(re.search(r"\.backward\(|optimizer\.step|zero_grad|torch\.optim", source))
        assert loops == (notebook.stem == "cam_from_scratch")

    def test_ends_from_scratch_cells_with_an_assertion(self, notebook):
        if "cam_from_scratch" in notebook.name:
            scratch = [source for source in cells(notebook, "code") if "by_hand =" in source]
            assert scratch
            assert all("assert torch.allclose" in source for source in scratch)

    def test_sits_beside_the_page_that_explains_it(self, notebook):
        assert (notebook.parent / "index.md").is_file()
        assert notebook.stem in (notebook.parent / "index.md").read_text()


def launch_links(page: Path) -> list[str]:
    """Addresses on Colab that a page offers."""
    soup = BeautifulSoup(page.read_text(), "html.parser")
    links = [str(a["href"]) for a in soup.find_all("a", href=True)]
    return sorted({link for link in links if "colab.research" in link})


def test_every_launch_button_opens_a_notebook_of_this_tree(pages):
    config = yaml.safe_load((ROOT / "_config.yml").read_text())
    repository = urlparse(config["repository"]["url"]).path.strip("/")
    opened = set()
    for name, page in pages.items():
        for link in launch_links(page):
            prefix = f"/github/{repository}/blob/v{version()}/"  # what its first cell installs
            path = unquote(urlparse(link).path)
            assert path.startswith(prefix), link
            target = ROOT / path.removeprefix(prefix)
            assert target.suffix == ".ipynb", f"{name} offers {link}"
            assert target.is_file(), f"{name} offers {link}"
            opened.add(target)
    assert opened == set(NOTEBOOKS)


def test_every_picture_has_a_description(pages):
    seen = 0
    for name, page in pages.items():
        soup = BeautifulSoup(page.read_text(), "html.parser")
        for image in soup.find("main").find_all("img"):
            text = str(image.get("alt", "")).strip()
            assert text, f"{name}: {image.get('src')}"
            assert "_images/" not in text, f"{name}: {text}"
            assert not text.endswith((".png", ".svg")), f"{name}: {text}"
            seen += "_images/" in str(image.get("src"))
    assert seen >= 15


def test_pictures_of_runs_are_described_at_length(pages):
    for name, page in pages.items():
        soup = BeautifulSoup(page.read_text(), "html.parser")
        for image in soup.select("main img[src*='_images/']"):
            assert len(str(image["alt"])) >= 40, f"{name}: {image['alt']}"


def test_pages_and_figures_are_light(html, pages):
    for figure in (html / "_images").iterdir():
        assert figure.stat().st_size <= 300_000, figure.name
    for name, page in pages.items():
        sources = {str(i["src"]) for i in BeautifulSoup(page.read_text(), "html.parser")("img")}
        files = {(page.parent / src).resolve() for src in sources if "_images" in src}
        total = page.stat().st_size + sum(path.stat().st_size for path in files)
        assert total <= 3_000_000, f"{name}: {total}"


def test_no_page_needs_the_network_to_be_read(pages):
    for name, page in pages.items():
        soup = BeautifulSoup(page.read_text(), "html.parser")
        loaded = [str(tag["src"]) for tag in soup.find_all(["script", "img", "iframe"], src=True)]
        loaded += [str(tag["href"]) for tag in soup.find_all("link", rel="stylesheet")]
        assert [source for source in loaded if source.startswith(("http", "//"))] == [], name


def test_no_error_slipped_into_a_page(pages):
    for name, page in pages.items():
        soup = BeautifulSoup(page.read_text(), "html.parser")
        assert not soup.select(".output.traceback, .system-message, .problematic"), name
        assert not soup.select(".result.missing"), name


def test_links_inside_the_book_lead_somewhere(html, pages):
    ids: dict[Path, set[str]] = {}
    for name, page in pages.items():
        soup = BeautifulSoup(page.read_text(), "html.parser")
        for link in soup.find("main").find_all("a", href=True):
            address = urlparse(str(link["href"]))
            if address.scheme or address.netloc:
                continue
            target = (page.parent / unquote(address.path)).resolve() if address.path else page
            assert target.exists(), f"{name}: {link['href']}"
            if address.fragment and target.suffix == ".html":
                if target not in ids:
                    whole = BeautifulSoup(target.read_text(), "html.parser")
                    ids[target] = {str(tag["id"]) for tag in whole.find_all(id=True)}
                assert unquote(address.fragment) in ids[target], f"{name}: {link['href']}"


def small_book(folder: Path, code: str) -> subprocess.CompletedProcess:
    """A copy of the configuration with a single page, built as strictly as the book."""
    book = folder / "book"
    book.mkdir()
    config = yaml.safe_load((ROOT / "_config.yml").read_text())
    config["sphinx"]["local_extensions"] = {"wsss_book": str(BOOK / "_ext")}
    (folder / "_config.yml").write_text(yaml.safe_dump(config))
    shutil.copytree(BOOK / "_static", book / "_static")
    shutil.copy(BOOK / "references.bib", book)
    (book / "_toc.yml").write_text("format: jb-book\nroot: page\n")
    head = (BOOK / "intro.md").read_text().split("---\n")[1]
    page = f"---\n{head}---\n\n# A page\n\n```{{code-cell}} ipython3\n{code}\n```\n"
    (book / "page.md").write_text(page)
    command = [
        str(Path(sys.executable).with_name("jupyter-book")), "build", "book",
        "--config", "_config.yml", "--path-output", ".", "-W", "--keep-going", "-n", "--all",
    ]  # fmt: skip
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_a_failing_cell_fails_the_build_again_and_again(tmp_path):
    built = small_book(tmp_path, "1 / 0")
    assert built.returncode != 0
    assert "ZeroDivisionError" in built.stdout + built.stderr


def test_a_good_cell_builds(tmp_path):
    built = small_book(tmp_path, "1 / 2")
    assert built.returncode == 0, built.stdout + built.stderr
    assert (tmp_path / "_build/html/page.html").is_file()
