"""Chang et al. 2020: who must name the kind of cat has to look at more than its ears."""

import copy
import io
from itertools import pairwise

import pytest
import torch
from torch import nn

from tests.loops import added_maps, divided_by_their_maximum, soft_margin
from tests.tiny import TWO_IMAGES, Slanted, noise
from wsss_lib.blocks.labels.subclasses import find_subclasses
from wsss_lib.core import Batch
from wsss_lib.methods.image_level.self_supervised.subcat import SubCat

SIX = tuple("abcdef")


class Mixed(nn.Module):
    """Four features that see red and hardly anything else, and that can be taught."""

    channels, strides = [4], [1]

    def __init__(self):
        super().__init__()
        rows = [[1.0, 0.05, 0.0], [1.0, 0.0, 0.05], [1.0, 0.05, 0.05], [1.0, 0.0, 0.0]]
        self.mix = nn.Parameter(torch.tensor(rows))

    def forward(self, image):
        return [torch.einsum("kd,bdhw->bkhw", self.mix, image - 0.5).relu()]


class Colours(nn.Module):
    """A backbone of colours minus one half."""

    channels, strides = [3], [1]

    def forward(self, image):
        return [image - 0.5]


HEAD, BODY = (slice(1, 3), slice(1, 2)), (slice(1, 3), slice(2, 5))


@pytest.fixture
def cats():
    """Two green cats and two blue ones, all with a red head, and two grey images."""
    image = torch.full((6, 3, 4, 6), 0.5)
    image[:4, 0, *HEAD], image[:2, 1, *BODY], image[2:4, 2, *BODY] = 1.5, 1.0, 1.0
    return Batch(SIX, image, torch.tensor([[1.0]] * 4 + [[0.0]] * 2))


def train(weight, batch, steps=80):
    """The least score that the body of a cat has after a training with this weight."""
    torch.manual_seed(0)
    method = SubCat(Mixed(), 1, count=2, weight=weight, rounds=2, scales=(1.0,)).train()
    nn.init.constant_(method.parent.weight, 0.5)
    optimizer = torch.optim.SGD(method.parameters(), lr=2.0)
    for step in range(steps):
        method.progress = step / steps
        optimizer.zero_grad()
        sum(method.loss(batch).values()).backward()
        optimizer.step()
    with torch.no_grad():
        return float(method.eval().predict(batch)[:4, 0, *BODY].min())


def test_who_must_tell_green_cats_from_blue_ones_looks_at_their_bodies(cats):
    """The parent's map is read, though it is the child that was asked: the features are shared."""
    alone, together, backwards = (train(weight, cats) for weight in (0.0, 5.0, -5.0))
    assert together > 0.3 > 0.2 > alone
    assert together > 2 * alone > 2 * backwards


def make(**settings):
    torch.manual_seed(0)
    return SubCat(Colours(), 3, **{"count": 2, "rounds": 3, "scales": (1.0,), **settings})


def six(seed=1):
    """Six images and their tags; every class is in some images and not in others."""
    tags = torch.tensor([[1, 0, 1], [1, 1, 0], [0, 0, 0], [1, 0, 1], [0, 1, 1], [0, 1, 0]])
    return Batch(SIX, noise(6, 3, 4, 5, seed=seed), tags.float())


def step(method, batch, progress):
    method.progress = progress
    return method.loss(batch)


def test_in_the_first_round_there_are_no_sub_categories_and_nothing_is_taught():
    method = make()
    for progress in (0.0, 0.33):
        terms = step(method, six(), progress)
        assert terms["sub"] == 0
        terms["sub"].backward()
        assert not method.child.weight.grad.any()


def test_each_round_clusters_the_features_of_the_round_before_and_begins_new_children():
    method, children, divisions = make(), [], []
    for number, progress in enumerate((0.0, 0.3, 0.34, 0.6, 0.67, 0.9)):
        batch = six(seed=number)
        before = {id: kept.clone() for id, (kept, _) in method.subclasses.seen.items()}
        terms = step(method, batch, progress)
        children.append(method.child.weight.detach().clone())
        divisions.append(copy.deepcopy(method.subclasses.found))
        for place, id in enumerate(SIX):
            pooled = (batch.image[place] - 0.5).mean(dim=(1, 2))
            assert torch.allclose(method.subclasses.seen[id][0], pooled, atol=1e-6)
        if progress in (0.34, 0.67):
            features = torch.stack([*before.values()])
            wanted = find_subclasses(features, batch.tags, 2, seed=int(3 * progress))
            assert torch.equal(torch.stack([*divisions[-1].values()]), wanted)
            assert terms["sub"] != 0
    assert not divisions[1]
    same = [torch.equal(one, other) for one, other in pairwise(children)]
    assert same == [True, False, True, False, True]
    for early, late in ((2, 3), (4, 5)):
        assert all(torch.equal(divisions[early][id], divisions[late][id]) for id in SIX)


def test_an_image_that_was_never_seen_before_does_not_teach_the_children():
    method, batch = make(), six()
    some = Batch(SIX[:4], batch.image[:4], batch.tags[:4])
    step(method, some, 0.0)
    all_of_them = step(method, batch, 0.4)["sub"]
    again = copy.deepcopy(method)
    assert torch.isclose(step(again, some, 0.5)["sub"], all_of_them)


def test_every_term_is_its_equation_value_by_value():
    """Of the S sub-categories of a present class one is there, and of an absent class none."""
    method, batch = make(count=3, weight=0.7), six()
    step(method, batch, 0.0)
    terms = step(method, batch, 0.4)
    weights, child = method.parent.weight[:, :, 0, 0], method.child.weight
    logits, children, wanted = torch.zeros(6, 3), torch.zeros(6, 9), torch.zeros(6, 9)
    for b, id in enumerate(SIX):
        feature = torch.zeros(3)
        for y in range(4):
            for x in range(5):
                feature += (batch.image[b, :, y, x] - 0.5) / 20
        for c in range(3):
            logits[b, c] = weights[c] @ feature
            for k in range(3):
                children[b, 3 * c + k] = child[3 * c + k] @ feature
                own = method.subclasses.found[id][c] == k
                wanted[b, 3 * c + k] = float(own and batch.tags[b, c] > 0)
    assert torch.equal(wanted.view(6, 3, 3).sum(dim=2), batch.tags)
    assert len(wanted.unique(dim=0)) > 4, "images of one class are of several kinds"
    assert {*terms} == {"cls", "sub"}
    assert torch.isclose(terms["cls"], soft_margin(logits, batch.tags), rtol=1e-4)
    assert torch.isclose(terms["sub"], 0.7 * soft_margin(children, wanted), rtol=1e-4)


def test_both_terms_teach_the_features():
    method, batch = SubCat(Mixed(), 3, count=2, rounds=2), six()
    step(method, batch, 0.0)
    terms = step(method, batch, 0.5)
    for name in ("cls", "sub"):
        (slope,) = torch.autograd.grad(terms[name], method.backbone.mix, retain_graph=True)
        assert slope.any(), name


def test_of_one_kind_the_child_learns_the_tags_themselves():
    method, batch = make(count=1, weight=1.0), six()
    step(method, batch, 0.0)
    method.child.weight.data.copy_(method.parent.weight.flatten(1))
    method.child.reset_parameters = lambda: None
    terms = step(method, batch, 0.5)
    assert torch.isclose(terms["cls"], terms["sub"])


@pytest.mark.parametrize("killed", [3, 5, 8])
def test_a_killed_run_resumes_with_the_same_result(killed):
    """Its checkpoint lies in the first round, at the start of the second, or within a round."""

    def go_on(method, optimizer, steps):
        for number in steps:
            torch.manual_seed(number)  # as the engine does
            optimizer.zero_grad()
            sum(step(method, six(seed=number), number / 12).values()).backward()
            optimizer.step()

    def fresh(seed):
        torch.manual_seed(seed)
        method = SubCat(Mixed(), 3, count=2, rounds=3)
        return method, torch.optim.AdamW(method.parameters(), lr=0.1)

    whole, optimizer = fresh(0)
    go_on(whole, optimizer, range(12))
    first, optimizer = fresh(0)
    go_on(first, optimizer, range(killed))
    file = io.BytesIO()
    torch.save((first.state_dict(), optimizer.state_dict()), file)
    file.seek(0)
    resumed, other = fresh(9)
    weights, moments = torch.load(file, weights_only=True)
    resumed.load_state_dict(weights)
    other.load_state_dict(moments)
    go_on(resumed, other, range(killed, 12))
    for name, value in whole.named_parameters():
        assert torch.equal(value, dict(resumed.named_parameters())[name]), name
    found = resumed.subclasses.found
    assert all(torch.equal(found[id], whole.subclasses.found[id]) for id in SIX)


def test_the_read_out_is_that_of_cam_from_the_parent_alone():
    method, image = SubCat(Slanted(), 3, scales=(1.0, 0.5)), noise(2, 3, 6, 8)
    batch = Batch(("a", "b"), image, TWO_IMAGES)
    said = method.predict(batch).detach()
    weights = method.parent.weight[:, :, 0, 0].detach()

    def maps_of(view):
        return torch.einsum("cd,bdhw->bchw", weights, Slanted()(view)[-1])

    for b in range(2):
        total = added_maps(maps_of, image[b], [(6, 8), (3, 4)])
        wanted = divided_by_their_maximum(total, TWO_IMAGES[b])
        assert torch.allclose(said[b], wanted, atol=1e-5)
    nn.init.zeros_(method.child.weight)
    assert torch.equal(method.predict(batch), said)
