"""Jiang et al. 2019, OAA+: a network draws the accumulated maps, and finds what one image lacks."""

import pytest
import torch
from torch import nn

from tests.loops import divided_by_their_maximum, one_at_another_size
from tests.tiny import TWO_IMAGES, noise
from wsss_lib.core import Batch, InputError
from wsss_lib.data.store import ScoreStore
from wsss_lib.methods.image_level.ensemble.oaa import OAA
from wsss_lib.methods.image_level.ensemble.oaa_plus import OAAPlus
from wsss_lib.recipes import chain

CLASSES = 3
HEAD, BODY, WATER = (1.0, 0.1, 0.1), (0.2, 0.9, 0.1), (0.1, 0.2, 0.9)
PLACE = (slice(8, 14), slice(4, 10))
"""Of the body."""


class Coloured(nn.Module):
    """Features are the colours, at a step of two pixels."""

    channels, strides = [3], [2]

    def forward(self, image):
        return [nn.functional.avg_pool2d(image, 2)]


def make(**settings):
    torch.manual_seed(0)
    return OAAPlus(Coloured(), CLASSES, convs=0, **settings)


def lessons():
    """Four pictures of an animal on water; of two of them the memory knows the head alone."""
    image = torch.tensor(WATER).view(1, 3, 1, 1).expand(4, -1, 16, 16).clone()
    scores = torch.zeros(4, CLASSES, 16, 16)
    image[:, :, 4:8, 4:8] = torch.tensor(HEAD).view(3, 1, 1)
    image[:, :, *PLACE] = torch.tensor(BODY).view(3, 1, 1)
    scores[:, 0, 4:8, 4:8] = 1
    scores[:2, 0, *PLACE] = 0.8
    tags = torch.tensor([[1.0, 0, 0]]).expand(4, -1)
    return Batch(tuple("abcd"), image, tags, scores)


def taught(batch, steps=150):
    method = make()
    optimizer = torch.optim.Adam(method.parameters(), lr=0.2)
    for _ in range(steps):
        optimizer.zero_grad()
        sum(method.loss(batch).values()).backward()
        optimizer.step()
    return method.eval()


def test_what_some_images_remember_is_found_in_the_others():
    batch = lessons()
    said = taught(batch).predict(batch).detach()[:, 0]
    assert not batch.scores[2:, 0, *PLACE].any()
    assert said[2:, 9:13, 5:9].min() > 0.3, "the body of images whose memory has none"
    assert said[:, 5:7, 5:7].min() > 0.9
    assert said[:, :, 12:].max() < 0.1, "and not the water"


def test_faint_maps_teach_and_do_not_forbid():
    """A body that is never more than faint is drawn as sure as the head, not as faint."""
    batch = lessons()
    batch.scores[:, 0, *PLACE] = 0.1
    chance = taught(batch).class_maps(batch.image).detach()[:, 0].sigmoid()
    assert chance[:, 4:7, 2:5].min() > 0.9
    assert chance[:, :, 6:].max() < 0.2


def test_the_loss_is_that_of_both_sides_at_the_size_of_the_class_maps():
    method = make()
    batch = lessons()
    shrunk = torch.stack([one_at_another_size(one, (8, 8)) for one in batch.scores])
    maps = torch.einsum(
        "cd,bdhw->bchw", method.head[0].weight[:, :, 0, 0], Coloured()(batch.image)[0]
    ) + method.head[0].bias.view(1, -1, 1, 1)
    yes, no = [], []
    for b in range(4):
        for c in range(CLASSES):
            for y in range(8):
                for x in range(8):
                    q, g = maps[b, c, y, x].sigmoid(), shrunk[b, c, y, x]
                    if g > 0.001:
                        yes.append(-g * q.log())
                    else:
                        no.append(-(1 - q).log())
    assert len(yes) != len(no)
    terms = method.loss(batch)
    assert {*terms} == {"hybrid"}
    expected = torch.stack(yes).mean() + torch.stack(no).mean()
    assert torch.isclose(terms["hybrid"], expected)


def test_absent_classes_are_held_down():
    batch = lessons()
    logits = taught(batch).class_maps(batch.image)
    assert logits[:, 1:].max() < -1


def test_it_needs_the_scores_of_a_stage_before():
    batch = lessons()
    with pytest.raises(InputError, match=r"OAA\+ needs batch\.scores"):
        make().loss(Batch(batch.ids, batch.image, batch.tags))


def test_its_teacher_is_the_memory_of_oaa():
    assert chain("oaa_plus") == ("oaa", "oaa_plus", "segmenter")
    assert chain("cda")[0] == "cam"


def test_the_read_out_is_the_rectified_map_over_its_maximum():
    """Neither its sigmoid nor the scores: what is below one half is nothing."""
    method = make()
    with torch.no_grad():
        differences = torch.tensor([[1.0, -1, 0], [0, 1, -1], [-1, 0, 1]])
        method.head[0].weight.copy_(differences[:, :, None, None])
        method.head[0].bias.copy_(torch.tensor([0.05, -0.05, 0.02]))
    image = noise(2, 3, 6, 8, seed=2)
    said = method.predict(Batch(("a", "b"), image, TWO_IMAGES)).detach()
    for b in range(2):
        maps = method.class_maps(image[b : b + 1])[0].detach().clamp(min=0)
        wanted = divided_by_their_maximum(one_at_another_size(maps, (6, 8)), TWO_IMAGES[b])
        assert torch.allclose(said[b], wanted, atol=1e-5)
        assert (wanted.amax(dim=(1, 2)) > 0).sum() == 2
        assert (wanted[TWO_IMAGES[b] > 0] == 0).any()


def test_the_scores_on_disk_keep_what_the_loss_looks_at(tmp_path):
    """The official maps have 8 bits; on their steps, half precision decides alike."""
    store, method = ScoreStore(tmp_path, CLASSES), make()
    chance = torch.Generator().manual_seed(0)
    exact = torch.randint(0, 256, (CLASSES, 8, 8), generator=chance) / 255
    exact[:, :4] = 0
    exact[1, :4, :4] = 1 / 255
    store.put("a", exact)
    kept = store["a"]
    assert torch.equal(kept > method.least, exact > method.least)
    assert (kept - exact).abs().max() < 0.5 / 255
    image = noise(1, 3, 8, 8)
    of_kept, of_exact = (
        method.loss(Batch(("a",), image, None, s[None]))["hybrid"] for s in (kept, exact)
    )
    assert torch.isclose(of_kept, of_exact, rtol=1e-3)


def test_it_is_trained_as_its_teacher_is():
    """Images lie still in both, as in the official code; a gain is none of what is seen."""
    assert OAAPlus.recipe == OAA.recipe
    assert OAAPlus.toy(CLASSES).recipe == OAA.toy(CLASSES).recipe
