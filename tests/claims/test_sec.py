"""Kolesnikov and Lampert 2016, SEC: seeds, pooled tags and colours teach one network at once."""

import math
from functools import partial

import pytest
import torch
from torch import nn

from tests.loops import check_network_answers, one_at_another_size
from tests.refined import (
    check_needs,
    check_refinements,
    check_rounding,
    check_target,
    check_weight,
    coloured,
)
from tests.tiny import TWO_IMAGES, Painter, noise
from wsss_lib.blocks.refine.pamr import pamr
from wsss_lib.core import Batch
from wsss_lib.methods.image_level.affinity.sec import SEC
from wsss_lib.recipes import chain


class Canvas(nn.Module):
    """A network that can draw any answer, to one image: nothing but its losses says what."""

    def __init__(self, num_classes, size):
        super().__init__()
        self.backbone = nn.Identity()
        start = torch.randn(1, num_classes + 1, *size, generator=torch.Generator().manual_seed(0))
        self.logits = nn.Parameter(0.1 * start)

    def forward(self, image):
        return self.logits.expand(len(image), -1, -1, -1)


class Dyed(nn.Module):
    """A network that knows the colour of a pixel, and nothing else."""

    def __init__(self):
        super().__init__()
        self.backbone, self.mix = nn.Identity(), nn.Conv2d(3, 3, 1)
        for weight in self.mix.parameters():
            nn.init.zeros_(weight)

    def forward(self, image):
        return self.mix(4 * image)


def strips(left):
    """Red, grey and blue strips, of which red or blue is an object with four sure pixels."""
    image = 0.02 * noise(1, 3, 10, 10)
    image[:, 0, :, :3] += 0.8
    image[..., 3:7] += 0.4
    image[:, 2, :, 7:] += 0.8
    first = 0 if left else 7
    scores, truth = torch.zeros(1, 2, 10, 10), torch.zeros(10, 10, dtype=torch.bool)
    scores[:, 0, :, first : first + 3] = 0.1
    scores[:, 0, 4:6, first : first + 2] = 0.9
    truth[:, first : first + 3] = True
    return Batch(("a",), image, torch.tensor([[1.0, 0.0]]), scores), truth


def taught(net, batch, terms, rate):
    """SEC on a network, after learning from some of its terms."""
    torch.manual_seed(0)
    method = SEC.toy(2)
    method.net = net
    method.refine = partial(pamr, dilations=(1, 2), iterations=5)
    optimizer = torch.optim.Adam(net.parameters(), lr=rate)
    for _ in range(300):
        optimizer.zero_grad()
        sum(value for name, value in method.loss(batch).items() if name in terms).backward()
        optimizer.step()
    return method


def share_right(left, terms=("seed", "expand", "constrain")):
    batch, truth = strips(left)
    method = taught(Canvas(2, (10, 10)), batch, terms, rate=0.3)
    return float(((method.predict(batch)[0, 0] > 0.5) == truth).float().mean())


def test_seeds_say_which_region_and_colours_where_it_ends():
    """Without seeds both answers would be one and the same, and right for one scene at most."""
    assert share_right(left=True) > 0.9
    assert share_right(left=False) > 0.9
    assert share_right(True, terms=("seed", "expand")) < 0.87


@pytest.mark.parametrize(("terms", "found"), [("seed expand constrain", 16), ("seed constrain", 0)])
def test_tags_find_what_no_seed_has_named(terms, found):
    """No seed is blue. But the second class is in the image with blue, and not in the other."""
    image = torch.full((2, 3, 8, 8), 0.1)
    image[:, 0, :, :2] = image[:, 1, :, 2:] = 0.9
    image[0, 1, :4, 4:], image[0, 2, :4, 4:] = 0.1, 0.9
    scores = torch.zeros(2, 2, 8, 8)
    scores[:, 0, :, :2] = 0.9
    scores[0, 1, :4, 4:] = 0.1  # weak
    batch = Batch(("a", "b"), image, torch.tensor([[1.0, 1.0], [1.0, 0.0]]), scores)
    said = taught(Dyed(), batch, terms.split(), rate=0.05).predict(batch)
    second = (said[:, 1] > 0.5) & (said[:, 1] > said[:, 0])
    assert second[0, :4, 4:].sum() == found
    assert second.sum() == found


def make(**settings):
    return SEC(Painter(), refine=coloured, **settings)


def batch_of_two(h=6, w=10):
    return Batch(("a", "b"), noise(2, 3, h, w), TWO_IMAGES, noise(2, 3, h, w, seed=2) ** 2)


@pytest.mark.parametrize("shrink", [1, 2])
def test_losses_value_by_value(shrink):
    """Each a mean over images, of means over seeds, classes and pixels."""
    batch, (h, w) = batch_of_two(), (6 // shrink, 10 // shrink)
    method = make(foreground=0.5, background=0.2, decays=(0.9, 0.99), shrink=shrink)
    terms = method.loss(batch)
    wanted = {"seed": 0.0, "expand": 0.0, "constrain": 0.0}
    for b in range(2):
        logits = one_at_another_size(method.net(batch.image)[b], (h, w))
        scores = one_at_another_size(batch.scores[b], (h, w))
        image = one_at_another_size(batch.image[b], (h, w))
        q = logits.softmax(dim=0) + 1e-4
        q = (q / q.sum(dim=0)).detach()
        least = sorted(scores.amax(dim=0).flatten().tolist())[: round(0.2 * h * w)]
        said, divergence = [], 0.0
        for y in range(h):
            for x in range(w):
                peak = float(scores[:, y, x].max())
                if peak > 0.5:
                    said.append(math.log(q[1 + int(scores[:, y, x].argmax()), y, x]))
                elif peak in least:
                    said.append(math.log(q[0, y, x]))
                red = float(image[0, y, x])
                for c in range(4):
                    target = (q[c, y, x] + red * q[c, y, x - 1]) / (1 + red)
                    divergence += float(target * math.log(target / q[c, y, x]))
        wanted["seed"] -= sum(said) / len(said) / 2
        wanted["constrain"] += divergence / (h * w) / 2
        for c in range(4):
            decay = (0.9 if c else 0.99) ** (1681 / (h * w))
            weights = [decay**j for j in range(h * w)]
            values = sorted(q[c].flatten().tolist(), reverse=True)
            pooled = sum(v * k for v, k in zip(values, weights, strict=True)) / sum(weights)
            if c == 0:
                wanted["expand"] -= math.log(pooled) / 2
            elif batch.tags[b, c - 1]:
                wanted["expand"] -= math.log(pooled) / 2 / 2  # one of two present classes
            else:
                wanted["expand"] -= math.log(1 - values[0]) / 2
    assert terms.keys() == wanted.keys()
    for name, value in wanted.items():
        assert float(terms[name].detach()) == pytest.approx(value, rel=1e-3), name


def test_the_size_of_the_losses_is_rounded_up():
    check_rounding(SEC, batch_of_two(9, 17))


def test_what_the_colours_make_of_the_answer_is_a_target():
    check_target(make(shrink=1), batch_of_two(), "constrain")


def test_the_colours_have_a_weight():
    check_weight(make, batch_of_two(), "constrain")


def test_the_paper_refines_by_a_dense_crf_and_the_toy_by_pamr():
    check_refinements(SEC, batch_of_two())


@pytest.mark.parametrize("known", [True, False])
def test_the_read_out_is_each_class_against_the_background(known):
    check_network_answers(make(), noise(2, 3, 4, 5), known)


def test_tags_and_scores_are_needed():
    check_needs(make(), batch_of_two())


def test_it_learns_from_cam_and_answers_alone():
    assert chain("sec") == ("cam", "sec")
