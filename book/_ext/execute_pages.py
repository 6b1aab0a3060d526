"""Execute the pages of the book before it is built, as many at once as there are cores.

``python book/_ext/execute_pages.py CACHE`` fills the cache that ``_config.yml`` names; the build
then reads every answer from it. Sphinx alone executes one page after the other, which leaves all
cores but one idle.
"""

import os
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import yaml
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from jupyter_cache.executors.utils import ExecutionResult, single_nb_execution
from myst_nb.core.read import is_myst_markdown_notebook
from tqdm.auto import tqdm

BOOK = Path(__file__).resolve().parents[1]
TIMEOUT = yaml.safe_load((BOOK.parent / "_config.yml").read_text())["execute"]["timeout"]


def page_names() -> list[str]:
    """Every page of the table of contents."""
    toc = yaml.safe_load((BOOK / "_toc.yml").read_text())

    def below(node: dict[str, Any]) -> Iterator[str]:
        if "file" in node:
            yield node["file"]
        for child in [*node.get("chapters", []), *node.get("sections", [])]:
            yield from below(child)

    return [toc["root"], *(name for part in toc["parts"] for name in below(part))]


def executable_pages() -> list[tuple[Path, str | None]]:
    """Notebooks, and Markdown pages with code, beside the reader that the cache needs for them."""
    pages: list[tuple[Path, str | None]] = []
    for name in page_names():
        markdown, notebook = BOOK / f"{name}.md", BOOK / f"{name}.ipynb"
        if notebook.is_file():
            pages.append((notebook, None))
        elif is_myst_markdown_notebook(markdown.read_text(encoding="utf-8")):
            pages.append((markdown, "myst_nb_md"))
    return pages


def execute(notebook: Any, folder: str) -> ExecutionResult:
    """Run one notebook in its folder, in a kernel of its own."""
    return single_nb_execution(notebook, cwd=folder, timeout=TIMEOUT, allow_errors=False)


def main(folder: str) -> None:
    """Execute every page; the first error of each page that has one ends on standard error."""
    cache, errors = get_cache(folder), {}
    cores = os.cpu_count() or 1
    # Kernels that share cores wait for each other's threads most of the time.
    os.environ["OMP_NUM_THREADS"] = "1"
    with ProcessPoolExecutor(cores) as pool:
        running = {}
        for path, plugin in executable_pages():
            how = {"name": plugin, "type": "plugin"} if plugin else None
            record = cache.add_nb_to_project(str(path), **({"read_data": how} if how else {}))
            notebook = cache.get_project_notebook(record.pk).nb
            running[pool.submit(execute, notebook, str(path.parent))] = path
        for done in tqdm(as_completed(running), total=len(running), desc="pages"):
            name, result = str(running[done].relative_to(BOOK)), done.result()
            if result.err:
                errors[name] = result.exc_string
                continue
            tqdm.write(f"{result.time:5.0f} s  {name}")
            bundle = CacheBundleIn(
                result.nb, str(running[done]), data={"execution_seconds": result.time}
            )
            cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
    if errors:
        sys.exit("\n".join(f"{name}:\n{error}" for name, error in errors.items()))


if __name__ == "__main__":
    main(*sys.argv[1:])
