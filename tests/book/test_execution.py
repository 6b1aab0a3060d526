"""Pages are executed before the book is built, several at once."""

from pathlib import Path

import execute_pages
import nbformat
import pytest
from jupyter_cache import get_cache

SMOKE_SECONDS = 1.5 * 30
"""CPU seconds that a notebook may take in smoke mode. A kernel has one thread: on an idle core they
are its wall-clock seconds, of which it may take 30, and the waiting of a busy machine does not
count. Kernels that share a core's units take up to half as many again."""
LONGER = {"your_own_segmenter": 1.5 * 45}
"""From pictures to a network in one sitting, which has to be better than its labels even here."""
BAR = "from tqdm.auto import tqdm\nfor _ in tqdm(range(3)):\n    pass\nprint('done')"


@pytest.fixture
def book(tmp_path, monkeypatch):
    """Write a book of two pages whose code is given; returns its folder."""
    monkeypatch.setattr(execute_pages, "BOOK", tmp_path)
    for name in ("IPYTHONDIR", "OMP_NUM_THREADS"):
        monkeypatch.setenv(name, "1")

    def write(first: str, second: str):
        (tmp_path / "_toc.yml").write_text("root: a\nparts:\n- chapters:\n  - file: b\n")
        (tmp_path / "a.md").write_text(
            "---\njupytext:\n  text_representation: {extension: .md, format_name: myst}\n"
            "kernelspec: {display_name: Python 3, language: python, name: python3}\n---\n\n"
            f"# A\n\n```{{code-cell}} ipython3\n{first}\n```\n"
        )
        cell = nbformat.v4.new_code_cell(second)
        nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "b.ipynb")
        return tmp_path

    return write


def test_pages_of_both_kinds_are_answered_without_progress_bars(book, tmp_path):
    folder = book("print(6 * 7)", BAR)
    execute_pages.main(str(tmp_path / "cache"))
    cache = get_cache(str(tmp_path / "cache"))
    answers = {}
    for record in cache.list_cache_records():
        cells = cache.get_cache_bundle(record.pk).nb.cells
        answers[record.uri] = [out for cell in cells for out in cell.get("outputs", [])]
    assert [out.text for out in answers[str(folder / "a.md")]] == ["42\n"]
    assert [out.text for out in answers[str(folder / "b.ipynb")]] == ["done\n"]


def test_kernels_that_start_at_once_cannot_be_given_the_same_port(book, tmp_path):
    how = "from ipykernel.kernelapp import IPKernelApp\nprint(IPKernelApp.instance().transport)"
    folder = book(how, how)
    execute_pages.main(str(tmp_path / "cache"))
    cache = get_cache(str(tmp_path / "cache"))
    for record in cache.list_cache_records():
        cells = cache.get_cache_bundle(record.pk).nb.cells
        answers = [out.text for cell in cells for out in cell.get("outputs", [])]
        assert answers == ["ipc\n"], Path(record.uri).relative_to(folder)


def test_the_cost_of_a_page_is_kept_without_waiting(book, tmp_path):
    idle = "import time\ntime.sleep(3)"
    busy = "import time\nwhile time.process_time() < 3: pass"
    folder = book(idle, busy)
    execute_pages.main(str(tmp_path / "cache"))
    records = {r.uri: r.data for r in get_cache(str(tmp_path / "cache")).list_cache_records()}
    waited, worked = records[str(folder / "a.md")], records[str(folder / "b.ipynb")]
    assert waited["execution_seconds"] >= 3
    assert waited["cpu_seconds"] < worked["cpu_seconds"]
    assert worked["cpu_seconds"] >= 3


def test_notebooks_keep_their_budget(html):
    records = get_cache(str(html.parent / ".jupyter_cache")).list_cache_records()
    seconds = {r.uri: r.data["cpu_seconds"] for r in records if r.uri.endswith(".ipynb")}
    notebooks = {str(path) for path, reader in execute_pages.executable_pages() if reader is None}
    assert set(seconds) == notebooks
    most = {name: LONGER.get(Path(name).stem, SMOKE_SECONDS) for name in seconds}
    assert {name: cost for name, cost in seconds.items() if cost > most[name]} == {}


def test_a_page_that_fails_is_named(book, tmp_path):
    book("print(1)", "print(1 / 0)")
    with pytest.raises(SystemExit, match=r"(?s)b\.ipynb:.*ZeroDivisionError"):
        execute_pages.main(str(tmp_path / "cache"))
