"""Ke et al. 2021, SPML: pixels learn which segments they belong with, from any weak label."""

import itertools
import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.loops import check_network_answers
from tests.tiny import noise
from wsss_lib.blocks.regions.grouping import Segments, segment
from wsss_lib.core import IGNORE, Batch, InputError
from wsss_lib.methods.scribble.spml import RELATIONS, SPML
from wsss_lib.nets.marks.embedded import EmbeddingNet

SIDE = 16
COLOURS = torch.tensor([[0.1, 0.6, 0.2], [0.9, 0.2, 0.1], [0.1, 0.2, 0.9]])


class Dyed(nn.Module):
    """Embeds the colour of a pixel, and nothing else."""

    def __init__(self, width=4):
        super().__init__()
        self.backbone = nn.Identity()
        self.mix = nn.Conv2d(3, width, 1)

    def forward(self, image):
        return self.mix(image)


def make(kind="scribble", **settings):
    torch.manual_seed(0)
    net = EmbeddingNet(Dyed(), 2, 4, dropout=0.0)
    return SPML(net, kind, **{"stride": 2, "side": 2, "room": 64, "anchors": 4096} | settings)


def scenes():
    """A red square in one picture, a blue one in the other, and every kind of label for both."""
    truth = torch.zeros(2, SIDE, SIDE, dtype=torch.long)
    truth[0, 4:12, 4:12], truth[1, 2:12, 6:14] = 1, 2
    image = COLOURS[truth].permute(0, 3, 1, 2) + 0.05 * noise(2, 3, SIDE, SIDE)
    scribble = torch.full((2, SIDE, SIDE), IGNORE)
    scribble[0, 7, 6:9], scribble[1, 6, 9:12], scribble[:, 14, 2:6] = 1, 2, 0
    tags = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    scores = 0.1 * noise(2, 2, SIDE, SIDE, seed=3)
    scores[0, 0, 3:13, 3:13], scores[1, 1, 1:13, 5:15] = 0.4, 0.4  # doubtful
    scores[0, 0, 6:9, 6:9], scores[1, 1, 5:8, 8:11] = 0.9, 0.9
    return Batch(
        ("a", "b"), image.clamp(0, 1), tags, scores,
        boxes=(torch.tensor([[4, 4, 12, 12, 1]]), torch.tensor([[6, 2, 14, 12, 2]])),
        points=(torch.tensor([[7, 7, 1], [1, 1, 0]]), torch.tensor([[10, 6, 2], [1, 14, 0]])),
        scribble=scribble,
    ), truth  # fmt: skip


NEEDED = {
    "scribble": ("scribble",), "points": ("points",), "boxes": ("boxes", "scores"),
    "tags": ("tags", "scores"),
}  # fmt: skip


def only(batch, names):
    """The batch, with no labels but these."""
    fields = ("tags", "scores", "boxes", "points", "scribble")
    return replace(batch, **{name: None for name in fields if name not in names})


def trained(batch, kind="scribble", steps=80):
    method = make(kind).train()
    optimizer = torch.optim.Adam(method.parameters(), lr=0.03)
    for _ in range(steps):
        optimizer.zero_grad()
        sum(method.loss(batch).values()).backward()
        optimizer.step()
    return method.eval()


@pytest.mark.parametrize("given", RELATIONS)
def test_one_class_learns_from_each_of_the_four_labels(given):
    batch, truth = scenes()
    method = trained(only(batch, NEEDED[given]), given)
    said = method.net(batch.image).argmax(dim=1)
    # A 3x3 convolution sees what is at a border together with what is beyond it.
    kinds = [(truth == k).float()[:, None] for k in range(3)]
    inner = sum((-F.max_pool2d(-kind, 3, 1, 1))[:, 0] for kind in kinds) > 0
    for k in range(3):
        assert (said == truth)[inner & (truth == k)].float().mean() > 0.9


@pytest.mark.parametrize("given", RELATIONS)
def test_it_asks_for_what_the_kind_of_label_needs(given):
    batch = only(scenes()[0], NEEDED[given])
    for name in NEEDED[given]:
        with pytest.raises(InputError, match=name):
            make(given).loss(replace(batch, **{name: None}))


@pytest.mark.parametrize("term", ["annotation", "cooccurrence", "similarity"])
def test_each_relation_alone_gathers_what_belongs_together(term):
    """Embeddings of one colour become alike, those of two colours unlike."""
    batch, truth = scenes()
    method = make()
    optimizer = torch.optim.Adam(method.net.deeplab.parameters(), lr=0.03)
    for _ in range(60):
        optimizer.zero_grad()
        method.loss(batch)[term].backward()
        optimizer.step()
    gaps = []
    for net in (make().net, method.net):
        v = net.embed(batch.image)
        mean = [F.normalize(v[0][:, truth[0] == 1].mean(dim=1), dim=0)]
        other = (1, 2) if term == "cooccurrence" else (0, 0)
        mean.append(F.normalize(v[other[0]][:, truth[other[0]] == other[1]].mean(dim=1), dim=0))
        gaps.append((mean[0] @ mean[1]).item())
    assert gaps[1] < gaps[0] - 0.2


def test_the_classifier_does_not_teach_the_embedding():
    method = make()
    method.loss(scenes()[0])["seg"].backward()
    assert method.net.classifier[0].weight.grad.abs().sum() > 0
    assert method.net.deeplab.mix.weight.grad is None


def test_the_memory_keeps_segments_of_earlier_batches():
    method, (batch, _) = make(), scenes()
    before = method.loss(batch)["annotation"].item()
    kept = int(method.memory.count)
    assert kept > 0
    assert method.loss(batch)["annotation"].item() != pytest.approx(before, rel=1e-4)
    assert int(method.memory.count) == min(64, 2 * kept)
    assert not method.memory.prototypes.requires_grad


def parts_of_three_images():
    """Eleven pixels in six segments; two images share a class, the third none; one label of 2."""
    torch.manual_seed(3)
    owner = torch.tensor([0, 0, 1, 1, 1, 2, 3, 3, 4, 5, 5])
    image = torch.tensor([0, 0, 1, 1, 2, 2])
    region = torch.tensor([0, 1, 0, 0, 0, 1])
    label = torch.tensor([1, IGNORE, 1, 0, 0, IGNORE])
    pixels = F.normalize(torch.randn(11, 4), dim=1)
    placed = F.normalize(torch.randn(11, 6), dim=1)
    tags = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    return Segments(pixels, placed, owner, image, region, label), tags


def owed(v, u, own, positive, negative, concentration):
    """-log(P / (P + N)) of one pixel, typed out."""
    force = [math.exp(concentration * float(v @ q)) for q in u]
    chosen = [q for q in positive if q != own] or [own]
    pull, push = sum(force[q] for q in chosen), sum(force[q] for q in negative)
    return -math.log(pull / (pull + push))


def sums_of(vectors, owner, count):
    return [F.normalize(vectors[owner == s].sum(dim=0), dim=0) for s in range(count)]


@pytest.mark.parametrize("given", RELATIONS)
def test_relations_value_by_value(given):
    """With a memory of two segments, one of them labelled, of an image with the second class."""
    parts, tags = parts_of_three_images()
    method = make(given)
    old = F.normalize(torch.randn(2, 4), dim=1)
    method.memory.write(old, torch.tensor([0, IGNORE]), torch.tensor([[0.0, 1.0], [1.0, 0.0]]))
    u = [*sums_of(parts.pixels, parts.owner, 6), *old]
    near = sums_of(parts.placed, parts.owner, 6)
    labels = [*parts.label.tolist(), 0, IGNORE]
    shown = [*tags[parts.image].tolist(), [0.0, 1.0], [1.0, 0.0]]
    weights = dict(
        zip(("annotation", "cooccurrence", "similarity"), RELATIONS[given], strict=False)
    )
    lists = {"annotation": [], "cooccurrence": [], "similarity": [[], [], []]}
    for i, s in enumerate(parts.owner.tolist()):
        v = parts.pixels[i]
        if labels[s] != IGNORE:
            yes = [q for q in range(8) if labels[q] == labels[s]]
            no = [q for q in range(8) if labels[q] not in (labels[s], IGNORE)]
            lists["annotation"].append(owed(v, u, s, yes, no, 6))
        yes = [q for q in range(8) if any(a * b for a, b in zip(shown[s], shown[q], strict=True))]
        no = [q for q in range(8) if q not in yes]
        concentration = 12 if given == "scribble" else 8
        lists["cooccurrence"].append(owed(v, u, s, yes, no, concentration))
        b, here = parts.image[s], [q for q in range(6) if parts.image[q] == parts.image[s]]
        yes = [q for q in here if parts.region[q] == parts.region[s]]
        no = [q for q in here if q not in yes]
        lists["similarity"][b].append(owed(parts.placed[i], near, s, yes, no, 16))
    wanted = {name: sum(of) / len(of) for name, of in lists.items() if name != "similarity"}
    wanted["similarity"] = sum(sum(of) / len(of) for of in lists["similarity"]) / 3
    found = method.relations(parts, tags)
    assert {name: term.item() for name, term in found.items()} == pytest.approx(
        {name: weights[name] * value for name, value in wanted.items()}, rel=1e-4
    )
    assert torch.equal(method.memory.labels[:8], torch.tensor(labels))


def test_the_loss_relates_segments_of_the_batch():
    """Labels, grid and classifier of a whole step, beside the parts of which it is made."""
    batch, _ = scenes()
    method = make().eval()
    terms = method.loss(batch)
    v = method.net.embed(batch.image).detach()
    logs = method.net.classifier(v).log_softmax(dim=1)
    drawn = (batch.scribble != IGNORE).nonzero().tolist()
    seg = [-logs[b, batch.scribble[b, y, x], y, x] for b, y, x in drawn]
    assert terms["seg"].item() == pytest.approx(torch.stack(seg).mean().item(), rel=1e-5)
    small = torch.zeros(2, 4, 8, 8)
    shrunk = F.interpolate(v, (8, 8), mode="bilinear", antialias=True)
    for b, y, x in itertools.product(range(2), range(8), range(8)):
        small[b, :, y, x] = shrunk[b, :, y, x] / shrunk[b, :, y, x].norm()
    parts = segment(small, batch.image, batch.scribble, 3, side=2)
    again = make().eval().relations(parts, batch.tags)
    for name, term in again.items():
        assert terms[name].item() == pytest.approx(term.item(), rel=1e-4)


def test_few_pixels_are_asked_for_co_occurrence():
    parts, tags = parts_of_three_images()
    values = {round(make(anchors=1).relations(parts, tags)["cooccurrence"].item(), 5)}
    method = make(anchors=1)
    for seed in range(12):
        torch.manual_seed(seed)
        method.memory.count.zero_()
        values.add(round(method.relations(parts, tags)["cooccurrence"].item(), 5))
    assert len(values) > 3


@pytest.mark.parametrize("known", [True, False])
def test_the_read_out_is_each_class_against_the_background(known):
    torch.manual_seed(0)
    method = SPML(EmbeddingNet(Dyed(), 3, 4, 0.5), room=8).eval()
    check_network_answers(method, noise(2, 3, 6, 7), known)
