"""Execute the pages of the book before it is built, as many at once as there are cores.

``python book/_ext/execute_pages.py CACHE`` fills the cache that ``_config.yml`` names; the build
then reads every answer from it. Sphinx alone executes one page after the other, which leaves all
cores but one idle. A page whose code fails ends the program, with its name and the error.
"""

import os
import resource
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from jupyter_cache.executors.utils import ExecutionResult, single_nb_execution
from myst_nb.core.read import is_myst_markdown_notebook
from tqdm.auto import tqdm
from traitlets.config import Config

BOOK = Path(__file__).resolve().parents[1]
QUIET = """import tqdm.auto, tqdm.std
tqdm.auto.tqdm = tqdm.std.tqdm
"""
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
    """Markdown pages with code, and notebooks, beside the reader that the cache needs for them.

    Pages come first. A chapter's notebook trains what its page has trained; side by side, one of
    the two would only wait.
    """
    pages: list[tuple[Path, str | None]] = []
    for name in page_names():
        markdown, notebook = BOOK / f"{name}.md", BOOK / f"{name}.ipynb"
        if notebook.is_file():
            pages.append((notebook, None))
        elif is_myst_markdown_notebook(markdown.read_text(encoding="utf-8")):
            pages.append((markdown, "myst_nb_md"))
    return sorted(pages, key=lambda page: page[1] is None)


def execute(notebook: Any, folder: str) -> tuple[ExecutionResult, float]:
    """Run one notebook in its folder, in a kernel of its own; also the CPU seconds that it took.

    They tell what a page costs on a machine that is busy with other things as well. Kernels talk
    through files: two that start at once may be given the same port, and then one of them dies.
    """
    os.environ["TQDM_DISABLE"] = "1"  # here, not before: the bar over all pages stays
    how = {"timeout": TIMEOUT, "allow_errors": False, "extra_arguments": ["--log-level=ERROR"]}
    before = _kernel_seconds()
    with tempfile.TemporaryDirectory() as sockets:
        files = Config(KernelManager={"transport": "ipc", "ip": f"{sockets}/kernel"})
        result = single_nb_execution(notebook, cwd=folder, config=files, **how)
    return result, _kernel_seconds() - before


def _kernel_seconds() -> float:
    """CPU seconds of all kernels of this process that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@contextmanager
def quiet_kernels() -> Iterator[None]:
    """One thread a kernel, and no progress bars: in a page each would be an output of its cell.

    The notebook kind of bar ignores TQDM_DISABLE, the plain kind heeds it. Kernels run what lies in
    the start-up folder of IPython before the first cell. Kernels that share cores would wait for
    each other's threads most of the time.
    """
    with tempfile.TemporaryDirectory() as folder:
        startup = Path(folder) / "profile_default" / "startup"
        startup.mkdir(parents=True)
        (startup / "quiet.py").write_text(QUIET, encoding="utf-8")
        os.environ.update(IPYTHONDIR=folder, OMP_NUM_THREADS="1")
        yield


def main(folder: str) -> None:
    """Execute every page into the cache in ``folder``."""
    cache, errors = get_cache(folder), {}
    with quiet_kernels(), ProcessPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        running = {}
        for path, plugin in executable_pages():
            how = {"name": plugin, "type": "plugin"} if plugin else None
            record = cache.add_nb_to_project(str(path), **({"read_data": how} if how else {}))
            notebook = cache.get_project_notebook(record.pk).nb
            running[pool.submit(execute, notebook, str(path.parent))] = path
        for done in tqdm(as_completed(running), total=len(running), desc="pages"):
            name, (result, busy) = str(running[done].relative_to(BOOK)), done.result()
            if result.err:
                errors[name] = result.exc_string
                continue
            tqdm.write(f"{result.time:5.0f} s, {busy:4.0f} s of CPU  {name}")
            cost = {"execution_seconds": result.time, "cpu_seconds": busy}
            bundle = CacheBundleIn(result.nb, str(running[done]), data=cost)
            cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
    if errors:
        sys.exit("\n".join(f"{name}:\n{error}" for name, error in errors.items()))


if __name__ == "__main__":
    main(*sys.argv[1:])
