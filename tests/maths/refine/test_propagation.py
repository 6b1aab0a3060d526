import pytest
import torch

from wsss_lib.blocks.refine.propagation import drawn_classes, likeness, spread_scribble
from wsss_lib.blocks.regions.superpixels import region_graph, region_histograms
from wsss_lib.core import IGNORE, InputError


def halves(h=16, w=16, seed=0):
    """Two colours side by side, with a little noise."""
    image = torch.zeros(3, h, w)
    image[0, :, : w // 2], image[2, :, w // 2 :] = 0.8, 0.8
    generator = torch.Generator().manual_seed(seed)
    return (image + 0.02 * torch.rand(3, h, w, generator=generator)).clamp(0, 1)


def test_the_majority_of_strokes_names_a_region():
    regions = torch.tensor([[0, 0, 0, 1, 1, 2]])
    scribble = torch.tensor([[3, 3, 0, 0, IGNORE, IGNORE]])
    assert drawn_classes(scribble, regions).tolist() == [3, 0, IGNORE]
    assert drawn_classes(torch.tensor([[2, 1, IGNORE, 4, 0, 1]]), regions).tolist() == [1, 0, 1]


def test_likeness_equals_the_equation():
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(3, 6, 6, generator=generator)
    regions = torch.arange(6)[:, None].expand(6, 6) // 2
    edges, _ = region_graph(regions)
    grey = image.mean(dim=0)
    slopes = torch.zeros(2, 6, 6)
    for y in range(6):
        for x in range(6):
            slopes[0, y, x] = grey[y, min(x + 1, 5)] - grey[y, x]
            slopes[1, y, x] = grey[min(y + 1, 5), x] - grey[y, x]
    colours = region_histograms(image, regions, 25)
    texture = region_histograms((slopes + 1) / 2, regions, 10)
    for value, (i, j) in zip(likeness(image, regions, edges, 0.5, 0.8), edges, strict=True):
        exponent = (colours[i] - colours[j]).square().sum() / 0.25
        exponent += (texture[i] - texture[j]).square().sum() / 0.64
        assert torch.isclose(value, torch.exp(-exponent), rtol=1e-4)


def test_labels_end_where_colours_do():
    image = halves()
    scribble = torch.full((16, 16), IGNORE)
    scribble[7, 2], scribble[8, 13] = 4, 1
    labels = spread_scribble(image, scribble, count=16)
    assert (labels[:, :8] == 4).all()
    assert (labels[:, 8:] == 1).all()


def test_scores_decide_where_colours_do_not():
    image = torch.full((3, 16, 16), 0.5)
    scribble = torch.full((16, 16), IGNORE)
    scribble[0, 0], scribble[15, 15] = 0, 1
    scores = torch.full((2, 16, 16), 0.1)
    scores[0, :, :4], scores[1, :, 4:] = 0.9, 0.9
    labels = spread_scribble(image, scribble, scores, count=16)
    wrong = (labels != (torch.arange(16) >= 4).long()).any(dim=0)
    assert wrong.sum() <= 1, "superpixels may end a column beside the border of the scores"


def test_nothing_drawn_gives_no_label():
    nothing = torch.full((16, 16), IGNORE)
    assert torch.equal(spread_scribble(halves(), nothing), nothing)


def test_one_class_takes_everything():
    scribble = torch.full((16, 16), IGNORE)
    scribble[3, 3] = 2
    assert (spread_scribble(halves(), scribble) == 2).all()


def test_too_few_scores_are_an_error():
    scribble = torch.full((16, 16), IGNORE)
    scribble[3, 3] = 2
    with pytest.raises(InputError, match="2 scores"):
        spread_scribble(halves(), scribble, torch.full((2, 16, 16), 0.5))
