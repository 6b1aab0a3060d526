"""Li, Fan and Zhang 2022: a segmentation branch tells the contours what is one object."""

import itertools

import pytest
import torch
from torch import nn

from tests.loops import against_the_background, one_at_another_size, walked
from tests.tiny import TWO_IMAGES, ColoursAndEdges, noise
from wsss_lib.blocks.affinity.pairs import half_disc
from wsss_lib.blocks.affinity.paths import path_affinity
from wsss_lib.blocks.refine.pamr import pamr
from wsss_lib.core import Batch
from wsss_lib.methods.image_level.extra_supervision.sance import SANCE
from wsss_lib.nets.segmentation.contour import ContourNet
from wsss_lib.nets.segmentation.deeplab import DeepLab


class Said(nn.Module):
    """A network that says what it was told, whatever it sees."""

    def __init__(self, logits, boundary):
        super().__init__()
        self.backbone = nn.Identity()
        self.logits, self.boundary = nn.Parameter(logits), nn.Parameter(boundary)

    def forward(self, image):
        return self.logits, self.boundary


def make(logits, boundary, **settings):
    method = SANCE(
        Said(logits, boundary), (4, 3), (0.5, 0.2), (0.7, 0.3), beta=5.0, walk=5, dilations=(1,),
        **settings,
    )  # fmt: skip
    method.progress = 1.0
    return method


def two_images():
    """Scores of three classes; in each image two are present, and one of those is found in more."""
    image, scores = noise(2, 3, 8, 10), noise(2, 3, 8, 10, seed=2) * 0.15
    scores[0, 0, :3], scores[0, 2, 5:, 6:] = 0.9, 0.8
    scores[1, 0, :, :3], scores[1, 1, 2:4, 5:] = 0.9, 0.7
    scores *= TWO_IMAGES[:, :, None, None]
    return Batch(("a", "b"), image, TWO_IMAGES, scores)


def labels_by_hand(scores, high, low):
    """(C, h, w) scores -> (h, w): sure of a class, sure of none, or neither."""
    h, w = scores.shape[1:]
    found = torch.full((h, w), 255)
    for y, x in itertools.product(range(h), range(w)):
        column = scores[:, y, x].tolist()
        if max(column) > high:
            found[y, x] = column.index(max(column)) + 1
        elif max(column) <= low:
            found[y, x] = 0
    return found


def cross_entropy(logits, labels):
    logs = []
    for b, y, x in (labels != 255).nonzero().tolist():
        logs.append(-logits[b, :, y, x].log_softmax(dim=0)[labels[b, y, x]])
    return torch.stack(logs).mean()


def contour_terms(boundary, labels, radius):
    """The three means of IRNet, from a walk along each straight line."""
    logs = {"same": [], "ground": [], "different": []}
    h, w = labels.shape[1:]
    for b, (dy, dx), y, x in itertools.product(range(2), half_disc(radius), range(h), range(w)):
        if not (y + dy < h and 0 <= x + dx < w):
            continue
        one, other = int(labels[b, y, x]), int(labels[b, y + dy, x + dx])
        if 255 in (one, other):
            continue
        length = (dy * dy + dx * dx) ** 0.5
        way = [
            boundary[b, 0, y + v, x + u]
            for v in range(dy + 1)
            for u in range(min(0, dx), max(0, dx) + 1)
            if abs(dy * u - dx * v) / length < 1
        ]
        highest = torch.stack(way).max()
        if one == other:
            logs["same" if one else "ground"].append(-(1 - highest).log())
        else:
            logs["different"].append(-highest.log())
    same, ground, different = (torch.stack(kind).mean() for kind in logs.values())
    return same / 4 + ground / 4 + different / 2


def online_scores(method, batch):
    """What the segmentation branch says of each class against the background, after PAMR."""
    refined = pamr(batch.image, method.net.logits.softmax(dim=1), (1,)).detach()
    pairs = zip(refined, batch.tags, strict=True)
    return torch.stack([against_the_background(one, tags) for one, tags in pairs])


@pytest.fixture(scope="module")
def said():
    """A network that is fairly sure of something else than the seeds, and of an absent class."""
    logits = 5 * noise(2, 4, 8, 10, seed=4) - 2
    logits[0, 0, 4:, :5], logits[0, 2, :, 8:], logits[1, 2, 5:] = 9.0, 9.0, 9.0
    logits[0, 1, 1:4], logits[1, 1, :, 7:] = 6.0, 6.0
    logits[1, 0, :4, :5] = 9.0
    return make(logits, 0.1 + 0.8 * noise(2, 1, 4, 5, seed=5))


def test_terms_equal_the_equations_pixel_by_pixel_and_pair_by_pair(said):
    batch = two_images()
    seeds = pamr(batch.image, batch.scores, (1,))
    terms = said.loss(batch)
    assert set(terms) == {"contour", "seg", "online_contour", "online_seg"}
    for name, scores, bounds in (
        ("", seeds, (0.5, 0.2)),
        ("online_", online_scores(said, batch), (0.7, 0.3)),
    ):
        pixels = torch.stack([labels_by_hand(one, *bounds) for one in scores])
        small = torch.stack([one_at_another_size(one, (4, 5)) for one in scores])
        pairs = torch.stack([labels_by_hand(one, *bounds) for one in small])
        counts = (pixels != 255).flatten(1).sum(dim=1)
        assert counts[0] != counts[1], "or a mean of means would do"
        assert torch.isclose(terms[f"{name}seg"], cross_entropy(said.net.logits, pixels), rtol=1e-4)
        wanted = contour_terms(said.net.boundary, pairs, 4)
        assert torch.isclose(terms[f"{name}contour"], wanted, rtol=1e-4), name


def striped():
    """An object of the left half; the seeds know its first columns and the ground alone."""
    scores, logits = torch.zeros(1, 1, 8, 16), torch.zeros(1, 2, 8, 16)
    scores[..., :2], scores[..., 2:12] = 0.9, 0.4
    logits[:, 1, :, :8], logits[:, 0, :, 8:] = 9.0, 9.0
    image = torch.zeros(1, 3, 8, 16)
    image[..., 8:] = 1.0
    return Batch(("a",), image, torch.ones(1, 1), scores), logits


def test_the_segmentation_branch_takes_stripes_from_the_contours_that_no_seed_does():
    """Columns 3 and 6 lie inside the object, where seeds are silent; column 8 is its border."""
    batch, logits = striped()
    boundary = torch.full((1, 1, 8, 16), 0.1)
    boundary[..., [3, 6]], boundary[..., 8] = 0.6, 0.7
    method = make(logits, boundary)
    terms = method.loss(batch)
    slopes = {
        name: torch.autograd.grad(terms[name], method.net.boundary, retain_graph=True)[0][0, 0]
        for name in ("contour", "online_contour")
    }
    assert slopes["contour"][:, 6].abs().max() == 0
    assert slopes["online_contour"][:, [3, 6]].min() > 0, "a step of the training lowers them"
    assert slopes["online_contour"][:, 8].max() < 0, "and raises the border"


def test_online_labels_wait_until_the_branch_has_learned(said):
    batch, early = two_images(), {"online_contour", "online_seg"}
    said.progress = 0.249
    before = said.loss(batch)
    said.progress = 0.25
    after = said.loss(batch)
    said.progress = 1.0
    assert {name for name, term in before.items() if term == 0} == early
    assert all(term > 0 for term in after.values())


def test_both_branches_teach_one_trunk():
    torch.manual_seed(0)
    backbone = ColoursAndEdges()
    net = ContourNet(DeepLab(backbone, 1, (1,), 8, 0), 4, 0)
    method = SANCE(net, (4, 3), (0.5, 0.2), dilations=(1,))
    terms = method.loss(striped()[0])
    for name in ("contour", "seg"):
        slopes = torch.autograd.grad(terms[name], [*backbone.parameters()], retain_graph=True)
        assert any(slope.any() for slope in slopes), name


def test_the_answer_is_the_segmentation_map_and_not_the_seeds():
    batch, logits = striped()
    method = make(logits, torch.zeros(1, 1, 8, 16))
    other = Batch(batch.ids, batch.image, batch.tags, 1 - batch.scores)
    assert torch.equal(method.predict(batch), method.predict(other))


def test_the_read_out_walks_with_the_background_is_refined_and_weighs_each_class_against_it(said):
    batch = two_images()
    answers = said.predict(batch).detach()
    affinity = path_affinity(said.net.boundary, half_disc(3)).detach()
    for b in range(2):
        chances = said.net.logits[b].softmax(dim=0).detach()
        start = one_at_another_size(chances, (4, 5)) * (1 - said.net.boundary[b].detach())
        there = one_at_another_size(walked(start, affinity[b], half_disc(3), 5.0, 5), (8, 10))
        there = pamr(batch.image[b : b + 1], there[None], (1,))[0]
        wanted = against_the_background(there, batch.tags[b])
        assert torch.allclose(answers[b], wanted, atol=1e-4)
