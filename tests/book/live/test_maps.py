"""What the scripts of several figures share says what Matplotlib and zlib say."""

import zlib

import numpy as np
import pytest
from matplotlib import colormaps

from wsss_lib.show.live.figure import source_of, text_of, uri
from wsss_lib.show.panels import TINT

pytestmark = pytest.mark.xdist_group("browser")


@pytest.fixture
def ask(browser):
    """Evaluates an expression in which ``maps`` is the module."""
    page = browser.new_page()
    page.goto("about:blank")
    module = uri("text/javascript", source_of("maps").encode())

    def evaluate(expression):
        return page.evaluate(
            f"async () => {{ const maps = await import('{module}'); return {expression}; }}"
        )

    yield evaluate
    page.close()


def test_a_score_has_the_colour_of_still_pictures(ask):
    found = ask("Array.from({ length: 101 }, (_, n) => maps.plasma(n / 100))")
    true = colormaps[TINT](np.linspace(0, 1, 101))[:, :3] * 255
    # Five colours stand for 256; what lies between them is a straight line.
    assert np.abs(np.array(found) - true).max() < 16
    assert np.abs(np.array(found)[::25] - true[::25]).max() < 2


def test_compressed_bytes_come_back(ask):
    content = bytes(range(256)) * 20
    packed = text_of(zlib.compress(content, 9))
    assert bytes(ask(f"Array.from(await maps.inflated('{packed}'))")) == content
