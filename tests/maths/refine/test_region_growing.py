import pytest
import torch

from wsss_lib.blocks.refine.region_growing import grow_seeds
from wsss_lib.core import IGNORE, InputError


def spread_by_flooding(probabilities, seeds, theta_fg, theta_bg):
    """The definition once more, one pixel after the other."""
    grown = seeds.clone()
    b, _, h, w = probabilities.shape
    for image in range(b):
        todo = (seeds[image] != IGNORE).nonzero().tolist()
        while todo:
            y, x = todo.pop()
            label = int(grown[image, y, x])
            for v in range(max(0, y - 1), min(h, y + 2)):
                for u in range(max(0, x - 1), min(w, x + 2)):
                    p = probabilities[image, :, v, u]
                    sure = p[label] > (theta_fg if label else theta_bg)
                    if grown[image, v, u] == IGNORE and p.argmax() == label and sure:
                        grown[image, v, u] = label
                        todo.append([v, u])
    return grown


def noisy(b=3, k=3, h=9, w=11, sharpness=6.0):
    probabilities = (torch.randn(b, k, h, w) * sharpness).softmax(dim=1)
    seeds = torch.where(torch.rand(b, h, w) < 0.06, torch.randint(0, k, (b, h, w)), IGNORE)
    return probabilities, seeds


@pytest.mark.parametrize("seed", range(5))
def test_growth_equals_flooding_pixel_by_pixel(seed):
    torch.manual_seed(seed)
    probabilities, seeds = noisy()
    grown = grow_seeds(probabilities, seeds, theta_fg=0.6, theta_bg=0.8)
    assert torch.equal(grown, spread_by_flooding(probabilities, seeds, 0.6, 0.8))
    assert (grown != seeds).any()
    assert torch.equal(grown[seeds != IGNORE], seeds[seeds != IGNORE])


def test_what_is_sure_but_not_connected_stays_unlabelled():
    probabilities = torch.tensor([0.05, 0.95])[None, :, None, None].repeat(1, 1, 5, 7)
    probabilities[..., 3] = 0.5
    seeds = torch.full((1, 5, 7), IGNORE)
    seeds[0, 2, 0] = 1
    grown = grow_seeds(probabilities, seeds)
    assert (grown[..., :3] == 1).all()
    assert (grown[..., 3:] == IGNORE).all()


def test_corners_connect():
    probabilities = torch.full((1, 2, 4, 4), 0.5)
    probabilities[0, :, range(4), range(4)] = torch.tensor([[0.01], [0.99]])
    seeds = torch.full((1, 4, 4), IGNORE)
    seeds[0, 0, 0] = 1
    assert torch.equal(grow_seeds(probabilities, seeds)[0].diagonal(), torch.ones(4).long())


def test_background_and_foreground_have_their_own_thresholds():
    probabilities = torch.tensor([[0.95, 0.05], [0.05, 0.95]])[:, :, None, None].repeat(1, 1, 2, 2)
    seeds = torch.full((2, 2, 2), IGNORE)
    seeds[0, 0, 0], seeds[1, 0, 0] = 0, 1
    grown = grow_seeds(probabilities, seeds)
    assert (grown[0] == 0).sum() == 1
    assert (grown[1] == 1).all()
    assert (grow_seeds(probabilities, seeds, theta_bg=0.9)[0] == 0).all()
    assert torch.equal(grow_seeds(probabilities, seeds, theta_fg=1.0, theta_bg=1.0), seeds)


def test_absent_classes_do_not_win():
    """Class 2 is the most probable but absent; class 1 wins of those that are present."""
    probabilities = torch.tensor([0.0, 0.4, 0.6])[None, :, None, None].repeat(1, 1, 3, 3)
    seeds = torch.full((1, 3, 3), IGNORE)
    seeds[0, 1, 1] = 1
    assert (grow_seeds(probabilities, seeds, theta_fg=0.3) == 1).sum() == 1
    assert (grow_seeds(probabilities, seeds, torch.tensor([[1, 0]]), theta_fg=0.3) == 1).all()


def test_an_image_without_seeds_stays_unlabelled_beside_one_that_has_some():
    probabilities = torch.tensor([0.0, 1.0])[None, :, None, None].repeat(2, 1, 1, 1)
    seeds = torch.tensor([1, IGNORE]).view(2, 1, 1)
    assert grow_seeds(probabilities, seeds).flatten().tolist() == [1, IGNORE]


GOOD = torch.full((1, 3, 2, 2), 1 / 3)
SEEDS = torch.ones(1, 2, 2, dtype=torch.int64)


@pytest.mark.parametrize(
    ("probabilities", "seeds", "tags", "message"),
    [
        (GOOD[0], SEEDS, None, "must be float"),
        (GOOD.long(), SEEDS, None, "must be float"),
        (GOOD, SEEDS[:, :1], None, "resize one"),
        (GOOD, SEEDS.float(), None, "seeds must be int64"),
        (GOOD * torch.nan, SEEDS, None, "softmax"),
        (GOOD * 9, SEEDS, None, "softmax"),
        (GOOD, SEEDS * IGNORE, None, "no image has a seed"),
        (GOOD, SEEDS * 3, None, r"0\.\.2"),
        (GOOD, -SEEDS, None, r"0\.\.2"),
        (GOOD, SEEDS, torch.ones(1, 3), "tags must be"),
        (GOOD, SEEDS, torch.tensor([[0, 1]]), "absent"),
    ],
)
def test_what_cannot_grow_is_refused(probabilities, seeds, tags, message):
    with pytest.raises(InputError, match=message):
        grow_seeds(probabilities, seeds, tags)
