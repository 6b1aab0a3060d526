"""The annotator in JupyterLab, with a kernel: what a mouse draws arrives in the folder's files."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page

from wsss_lib.data.drawn import DrawnLabels
from wsss_lib.data.folder import SegmentationFolder

pytestmark = pytest.mark.xdist_group("browser")

TOKEN = "only-for-this-test"
PATIENCE = 120  # seconds that a server, a kernel or a label may take on a busy machine
CELLS = (
    "from wsss_lib.annotate import Annotator, Tagger",
    "boxes = Annotator('photos', ['cat', 'dog'], 'boxes', preview='walker')\nboxes",
    "tagger = Tagger('photos', ['cat', 'dog'])\ntagger",
)


def notebook(cells: tuple[str, ...]) -> str:
    """A notebook with these cells of code."""
    return json.dumps(
        {
            "nbformat": 4,
            "nbformat_minor": 5,
            "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
            "cells": [
                {
                    "id": f"cell{number}",
                    "cell_type": "code",
                    "source": cell,
                    "metadata": {},
                    "outputs": [],
                    "execution_count": None,
                }
                for number, cell in enumerate(cells)
            ],
        }
    )


def until(done: Callable[[], bool], what: str) -> None:
    """Wait until something is so."""
    end = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < end, f"{what} has not happened in {PATIENCE} seconds"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a notebook and two photographs."""
    folder = tmp_path_factory.mktemp("work")
    (folder / "photos" / "images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in "ab":
        noise = rng.integers(0, 255, (120, 160, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / "photos" / "images" / f"{name}.png")
    (folder / "draw.ipynb").write_text(notebook(CELLS))
    return folder


@pytest.fixture(scope="module")
def server(work: Path, root: Path) -> Iterator[str]:
    """JupyterLab on a free port, with settings of its own."""
    pytest.importorskip("jupyterlab")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {
        name: str(work / ".jupyter" / name)
        for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    }
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}",
        "--ServerApp.ip=127.0.0.1", "--ServerApp.port_retries=0", f"--ServerApp.root_dir={work}",
        f"--IdentityProvider.token={TOKEN}", "--LabApp.expose_app_in_browser=True",
        "--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    with (work / "server.log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=work, stdout=log, stderr=log,
            env={**os.environ, **own, "PYTHONPATH": str(root)},
        )  # fmt: skip

        def answers() -> bool:
            assert process.poll() is None, (work / "server.log").read_text()
            try:
                with urllib.request.urlopen(f"{address}/api?token={TOKEN}", timeout=5):
                    return True
            except (urllib.error.URLError, TimeoutError):
                return False

        try:
            until(answers, "the start of JupyterLab")
            yield address
        finally:
            process.terminate()  # it ends its kernels first
            process.wait(timeout=PATIENCE)


@pytest.fixture(scope="module")
def page(server: str, browser) -> Iterator[Page]:
    """The notebook after all of its cells have run."""
    page = browser.new_page(viewport={"width": 1300, "height": 2200})
    page.set_default_timeout(PATIENCE * 1000)
    page.goto(f"{server}/lab/tree/draw.ipynb?token={TOKEN}")
    page.wait_for_selector(".jp-Notebook .jp-CodeCell")
    page.wait_for_function(
        """() => { const shown = window.jupyterapp?.shell.currentWidget;
            return shown?.sessionContext?.session?.kernel?.status === "idle"; }"""
    )
    page.evaluate("jupyterapp.commands.execute('notebook:run-all-cells')")
    page.wait_for_function("document.querySelectorAll('.annotator canvas').length === 2")
    yield page
    page.close()


def corner(page: Page, x: int, y: int) -> tuple[float, float]:
    """The middle of a pixel of the first picture on the screen."""
    box = page.locator(".annotator canvas").first.bounding_box()
    assert box is not None
    return box["x"] + (x + 0.5) / 160 * box["width"], box["y"] + (y + 0.5) / 120 * box["height"]


def test_a_box_that_the_mouse_drags_is_what_the_folder_reads(page: Page, work: Path):
    page.locator(".annotator canvas").first.scroll_into_view_if_needed()
    middle = """() => { const c = document.querySelector(".annotator canvas");
        const [x, y] = [55 / 160, 55 / 120];
        return [...c.getContext("2d").getImageData(x * c.width, y * c.height, 1, 1).data]; }"""
    before = page.evaluate(middle)
    page.mouse.move(*corner(page, 20, 30))
    page.mouse.down()
    page.mouse.move(*corner(page, 90, 80))
    page.mouse.up()
    until((work / "photos" / "boxes.csv").is_file, "the box")
    data = SegmentationFolder(work / "photos", None, ["cat", "dog"])
    assert DrawnLabels(data).label("boxes", "a", (120, 160)).tolist() == [[20, 30, 91, 81, 1]]
    until(lambda: page.evaluate(middle) != before, "the preview")


def test_keys_tag_and_turn_pages_and_leave_the_notebook_alone(page: Page, work: Path):
    tagger = page.locator(".annotator").nth(1)
    tagger.locator("canvas").click()
    page.keyboard.press("2")
    page.keyboard.press("ArrowRight")
    head = tagger.locator(".annotator-head")
    until(lambda: "2 of 2: b" in head.inner_text(), "the second picture")
    assert SegmentationFolder(work / "photos", None).tags("a").tolist() == [0, 1]
    assert page.locator(".jp-Notebook .jp-CodeCell").count() == len(CELLS)
