"""Rong et al. 2023: doubtful pixels are asked of the other network, and boundaries are made."""

import numpy as np
import pytest
import torch

from tests.loops import against_the_background
from tests.tiny import TWO_IMAGES, Painter, noise
from wsss_lib.blocks.augment.mix import Labelled, paste_classes
from wsss_lib.blocks.labels.trust import surest_pixels
from wsss_lib.blocks.maps.class_maps import to_labels
from wsss_lib.core import Batch, InputError
from wsss_lib.methods.image_level.extra_supervision.beco import BECO
from wsss_lib.nets.segmentation.pair import Pair


def make(progress=0.0, **settings):
    method = BECO(Pair(Painter(), Painter()), **{"threshold": 0.5, "sure": 0.6} | settings)
    chance = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in method.parameters():
            weight.normal_(generator=chance).mul_(3)
    method.progress = progress
    return method


@pytest.fixture
def batch():
    """Two images of two classes; one has an undecided pixel more than the other."""
    image, scores = noise(2, 3, 6, 7), noise(2, 3, 6, 7, seed=2)
    scores *= TWO_IMAGES[:, :, None, None]
    scores[0, :, :2] = 0.5
    return Batch(("a", "b"), image, TWO_IMAGES, scores)


def check_terms(method, terms, labelled, border=None):
    """Each network, pixel by pixel: the sure label, or the other's answer; a mean over all."""
    image, labels, sure = labelled
    logits = [net(image) for net in method.pair.nets]
    for me, name in enumerate(("one", "other")):
        taught, asked = [], []
        for b, y, x in np.ndindex(*labels.shape):
            logs = logits[me][b, :, y, x].log_softmax(dim=0)
            zero = logs.sum() * 0
            weight = 1.2 if border is not None and border[b, y, x] else 1.0
            taught.append(-weight * logs[labels[b, y, x]] if sure[b, y, x] else zero)
            peer = logits[1 - me][b, :, y, x].argmax()
            asked.append(zero if sure[b, y, x] else -logs[peer])
        assert torch.isclose(terms[name], torch.stack(taught).mean(), rtol=1e-4), name
        assert torch.isclose(terms[f"{name}_asks"], torch.stack(asked).mean(), rtol=1e-4), name


def given(method, batch):
    labels = to_labels(batch.scores, 0.5)
    sure = surest_pixels(batch.scores, labels, 0.5, method.share)
    return Labelled(batch.image, labels, sure)


def test_sure_pixels_learn_their_label_and_others_what_the_other_network_says(batch):
    method = make()
    known = given(method, batch)
    counts = known.sure.flatten(1).sum(dim=1)
    assert counts[0] != counts[1]
    assert 0 < counts.sum() < known.sure.numel()
    terms = method.loss(batch)
    assert set(terms) == {"one", "other", "one_asks", "other_asks"}
    check_terms(method, terms, known)


def test_what_is_pasted_has_the_networks_labels_and_its_border_counts_more(batch):
    method = make(progress=1.0, mixed=1.0)
    known = given(method, batch)
    both = sum(net(batch.image) for net in method.pair.nets) / 2
    best, said = both.softmax(dim=1).max(dim=1)
    found = Labelled(batch.image, said, best > 0.6)
    torch.manual_seed(5)
    mixed, border = paste_classes(known, found, 3, 1.0)
    assert border.any()
    assert not torch.equal(mixed.image, batch.image)
    torch.manual_seed(5)
    check_terms(method, method.loss(batch), mixed, border)


def test_nothing_is_pasted_before_the_warm_up_is_over(batch):
    method = make(progress=0.0124, mixed=1.0)
    early = method.loss(batch)
    check_terms(method, early, given(method, batch))
    method.progress = 1 / 80
    assert not torch.isclose(method.loss(batch)["one"], early["one"])


def test_a_network_learns_from_its_peer_and_does_not_teach_it_by_its_own_question(batch):
    method = make()
    terms, (one, other) = method.loss(batch), method.pair.nets
    assert torch.autograd.grad(terms["one_asks"], one.mix, retain_graph=True)[0].any()
    left = torch.autograd.grad(terms["one_asks"], other.mix, allow_unused=True)[0]
    assert left is None


def test_with_all_trusted_and_nothing_pasted_it_is_two_networks_side_by_side(batch):
    """Its control: no term asks for anything, wherever there is a label."""
    method = make(progress=1.0, share=1.0, mixed=0.0)
    batch.scores[0, :, :2] = 0.4
    terms = method.loss(batch)
    assert terms["one_asks"] == terms["other_asks"] == 0
    check_terms(method, terms, given(method, batch))


def test_the_two_networks_start_apart():
    torch.manual_seed(0)
    one, other = BECO.toy(2).pair.nets
    assert not torch.equal(one.classifier.weight, other.classifier.weight)
    assert one.backbone is not other.backbone


def test_it_asks_for_a_threshold(batch):
    method = make(threshold=None)
    with pytest.raises(InputError, match="threshold"):
        method.loss(batch)


@pytest.mark.parametrize("known", [True, False])
def test_the_read_out_is_the_mean_of_both_against_the_background(batch, known):
    method = make()
    tags = TWO_IMAGES if known else None
    with torch.no_grad():
        said = method.predict(Batch(batch.ids, batch.image, tags))
        chances = (sum(net(batch.image) for net in method.pair.nets) / 2).exp()
    for b in range(2):
        wanted = against_the_background(chances[b], tags[b] if known else torch.ones(3))
        assert torch.allclose(said[b], wanted, atol=1e-5)
