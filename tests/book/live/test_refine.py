"""What runs in the page says what the library says, on fixed inputs."""

import numpy as np
import pytest
import torch
from skimage.segmentation import random_walker as skimage_walker

from wsss_lib.blocks.refine.pamr import pamr, pamr_weights
from wsss_lib.blocks.refine.random_walker import colour_edges, random_walker
from wsss_lib.core import IGNORE
from wsss_lib.show.live.figure import source_of, uri
from wsss_lib.show.live.scribble import drawn

pytestmark = pytest.mark.xdist_group("browser")
DILATIONS = (1, 2, 6)


@pytest.fixture
def asked(browser):
    """Calls a function of arguments with a module's exports, in a page of its own."""
    page = browser.new_page()

    def ask(module, code, **given):
        address = uri("text/javascript", source_of(module).encode())
        return page.evaluate(
            f"async ([address, given]) => ({code})(await import(address), given)", [address, given]
        )

    yield ask
    page.close()


@pytest.fixture
def image():
    """Colours with an edge, a flat wall and noise: (1, 3, 13, 17)."""
    found = torch.rand(1, 3, 13, 17, generator=torch.Generator().manual_seed(0), dtype=torch.double)
    found[..., 9:] = 0.3 * found[..., 9:] + 0.6
    found[..., :4, :5] = 0.5
    return found.float().double()  # the page keeps colours in single precision


def test_pamr_in_the_page_is_that_of_the_library(asked, image):
    maps = torch.rand(1, 1, 13, 17, dtype=torch.double)
    found = asked(
        "pamr",
        """({ neighboursOf, pamrWeights, pamrStep }, { planes, map, dilations }) => {
          const neighbours = neighboursOf(17, 13, dilations);
          const weights = pamrWeights(Float32Array.from(planes), neighbours, 0.1);
          let refined = Float32Array.from(map);
          for (let t = 0; t < 3; t += 1) refined = pamrStep(refined, neighbours, weights);
          return [[...weights], [...refined]];
        }""",
        planes=image.flatten().tolist(),
        map=maps.flatten().tolist(),
        dilations=DILATIONS,
    )
    weights = pamr_weights(image, DILATIONS)[0].flatten(1).T.flatten()
    assert torch.tensor(found[0]) == pytest.approx(weights.numpy(), abs=1e-6)
    refined = pamr(image, maps, DILATIONS, iterations=3).flatten()
    assert torch.tensor(found[1]) == pytest.approx(refined.numpy(), abs=1e-6)


WALK = """({ colourEdges, walk }, { planes, seeds, width, height, floor }) => {
  const edges = colourEdges(Float32Array.from(planes), width, height, 130, floor);
  return [...walk(edges, Uint8Array.from(seeds), width, 1e-9)];
}"""


def seeds_of(height, width):
    seeds = torch.full((1, height, width), IGNORE)
    seeds[0, 2, 3], seeds[0, 8, 12], seeds[0, 0, :3], seeds[0, -1, -1] = 1, 0, 0, 1
    return seeds


def walked(asked, image, seeds, floor):
    height, width = seeds.shape[1:]
    planes = image.flatten().tolist()
    found = asked(
        "scribble", WALK, planes=planes, seeds=seeds.flatten().tolist(), width=width,
        height=height, floor=floor,
    )  # fmt: skip
    return torch.tensor(found).view(height, width)


def test_the_walker_in_the_page_is_that_of_the_library(asked, image):
    seeds = seeds_of(13, 17)
    expected = random_walker(colour_edges(image), seeds, 2, tolerance=1e-9)[0, 1]
    found = walked(asked, image, seeds, 1e-6)
    assert found == pytest.approx(expected.numpy(), abs=1e-5)
    assert found[seeds[0] != IGNORE].tolist() == [0, 0, 0, 1, 0, 1]


def test_the_walker_in_the_page_is_that_of_scikit_image(asked, image):
    mild = image / 4
    seeds = seeds_of(13, 17)
    marks = np.where(seeds[0] == IGNORE, 0, seeds[0] + 1)
    expected = skimage_walker(
        mild[0].permute(1, 2, 0).numpy(), marks, beta=130, mode="bf", return_full_prob=True,
        channel_axis=-1,
    )[1]  # fmt: skip
    assert walked(asked, mild, seeds, 1e-10).numpy() == pytest.approx(expected, abs=1e-5)


def test_strokes_are_drawn_as_in_the_library(asked):
    strokes = [
        (0, [(1.2, 1.9), (9.7, 3.1), (10.4, 11.8)]),
        (1, [(4.4, 0.3), (4.4, 12.6)]),  # over the first
        (1, [(15.0, 6.5)]),
        (0, [(-3.0, 9.0), (2.0, 14.5)]),  # beyond the picture
    ]
    expected = drawn(strokes, torch.zeros(13, 17), 1.4)
    found = asked(
        "scribble",
        "({ drawn }, { strokes, radius }) => [...drawn(strokes, 17, 13, radius)]",
        strokes=[{"label": label, "places": places} for label, places in strokes],
        radius=1.4,
    )
    assert torch.tensor(found).view(13, 17).equal(expected)
    assert expected[6, 4] == 1  # where strokes cross, the later one
    assert set(expected.unique().tolist()) == {0, 1, IGNORE}
