"""Zhang et al. 2020: contexts of all classes beside the features, made anew round by round."""

import pytest
import torch
from torch import nn

from tests.loops import added_maps, divided_by_their_maximum, soft_margin
from tests.tiny import Painter, noise
from wsss_lib.blocks.labels.trust import trusted_labels
from wsss_lib.blocks.maps.class_maps import normalize
from wsss_lib.blocks.refine.pamr import pamr
from wsss_lib.core import Batch
from wsss_lib.methods.image_level.cooccurrence.conta import CONTA

TAGS = torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]])


class Colours(nn.Module):
    """A backbone of colours minus one half."""

    channels, strides = [3], [1]

    def forward(self, image):
        return [image - 0.5]


def make(**settings):
    torch.manual_seed(0)
    settings = {"side": 4, "dilations": (1,), "scales": (1.0, 0.5), **settings}
    method = CONTA(Painter(3), Colours(), 3, **settings)
    method.context.gain = 5.0
    with torch.no_grad():
        method.classifier.weight.copy_(noise(3, 4, 1, 1) - 0.3)
    return method


def remembered(method):
    """A method in its second round, whose class means are three different places."""
    method.context.means = torch.zeros(3, 4, 4)
    for c in range(3):
        method.context.means[c, c, c] = 1.0
    method.context.round = torch.tensor(1)
    method.progress = 0.4
    return method


def context_of(method, image):
    """The context map of (3, H, W), H and W divisible by side, by loops over classes."""
    shares = method.net(image[None]).exp()[0]
    found = 1 - shares[0] / shares.sum(dim=0)
    side = method.context.side
    found = nn.functional.interpolate(
        found[None, None], (side, side), mode="bilinear", antialias=True
    ).flatten()
    look = method.context.query.weight @ found
    likeness = []
    for mean in method.context.means:
        likeness.append((look @ (method.context.key.weight @ mean.flatten()) / 3**0.5).exp())
    total = sum(
        one / sum(likeness) * mean / 3
        for one, mean in zip(likeness, method.context.means, strict=True)
    )
    wide = nn.functional.interpolate(total[None, None], image.shape[1:], mode="bilinear")
    return method.context.gain * wide[0]


def maps_by_hand(method, image):
    weight = method.classifier.weight[:, :, 0, 0]
    whole = torch.cat([image - 0.5, context_of(method, image)])
    return torch.einsum("cd,dhw->chw", weight, whole)


def test_every_context_takes_part_beside_the_features():
    method, image = remembered(make()), noise(2, 3, 8, 12)
    with torch.no_grad():
        said = method.class_maps(image)
        for b in range(2):
            torch.testing.assert_close(said[b], maps_by_hand(method, image[b]))
        known = method.class_maps(image, method.net(image))
    torch.testing.assert_close(said, known)


def test_in_the_first_round_it_is_an_ordinary_classifier():
    method, image = make(), noise(2, 3, 8, 12)
    plain = torch.einsum("cd,bdhw->bchw", method.classifier.weight[:, :3, 0, 0], image - 0.5)
    torch.testing.assert_close(method.class_maps(image), plain)
    method.loss(Batch(("a", "b"), image, TAGS))
    torch.testing.assert_close(method.class_maps(image), plain)  # the round goes on
    method.progress = 0.34
    method.loss(Batch(("a", "b"), image, TAGS))
    assert (method.class_maps(image) - plain).abs().max() > 1e-3
    assert int(method.context.round) == 1


def test_confounders_are_made_anew_in_each_of_the_rounds():
    method, image = make(), noise(2, 3, 8, 12)
    rounds, means = [], []
    for progress in (0.0, 0.3, 0.34, 0.6, 0.67, 0.99):
        method.progress = progress
        method.loss(Batch(("a", "b"), noise(2, 3, 8, 12, seed=int(99 * progress)), TAGS))
        rounds.append(int(method.context.round))
        means.append(method.context.means.clone())
    assert rounds == [0, 0, 1, 1, 2, 2]
    assert means[0].max() == 0
    assert means[2].max() > 0
    assert torch.equal(means[2], means[3])
    assert not torch.equal(means[3], means[4])
    assert image.shape == (2, 3, 8, 12)


def test_the_mask_of_the_image_is_the_networks_and_stops_there():
    method = remembered(make())
    image = noise(2, 3, 8, 12)
    method.loss(Batch(("a", "b"), image, TAGS))["cls"].backward()
    assert method.net.mix.grad is None or not method.net.mix.grad.any()
    assert method.context.query.weight.grad.abs().sum() > 0
    assert method.context.key.weight.grad.abs().sum() > 0
    with torch.no_grad():
        before = method.class_maps(image)
        method.net.mix.neg_()
        assert (method.class_maps(image) - before).abs().max() > 1e-4


def test_pseudo_masks_teach_the_network_and_not_the_classifier():
    method = make()
    method.loss(Batch(("a", "b"), noise(2, 3, 8, 12), TAGS))["seg"].backward()
    assert method.classifier.weight.grad is None
    assert method.net.mix.grad.abs().sum() > 0


def test_terms_equal_the_equations_typed_out():
    method, image = remembered(make(trust=(0.5, 0.2))), noise(2, 3, 8, 12)
    with torch.no_grad():
        terms = method.loss(Batch(("a", "b"), image, TAGS))
        maps = torch.stack([maps_by_hand(method, one) for one in image])
        logits = method.net(image)
    pooled = torch.tensor([[float(one.sum()) / 96 for one in of_image] for of_image in maps])
    assert torch.isclose(terms["cls"], soft_margin(pooled, TAGS), rtol=1e-4)
    scores = pamr(image, normalize(maps, TAGS), (1,))
    losses = []
    for b in range(2):
        for y in range(8):
            for x in range(12):
                here = scores[b, :, y, x]
                best = int(here.argmax())
                label = best + 1 if here[best] > 0.5 else 0 if here[best] <= 0.2 else None
                if label is not None:
                    chances = logits[b, :, y, x].exp()
                    losses.append(-(chances[label] / chances.sum()).log())
    known = (trusted_labels(scores, 0.5, 0.2) != 255).sum(dim=(1, 2))
    assert known[0] != known[1], "a mean of means would be something else"
    assert torch.isclose(terms["seg"], torch.stack(losses).mean(), rtol=1e-4)


def test_means_are_those_of_its_pseudo_masks():
    method, image = make(trust=(0.5, 0.2)), noise(2, 3, 4, 4)
    batch = Batch(("a", "b"), image, TAGS)
    labels = method.pseudo_masks(image, method.class_maps(image), TAGS)
    method.loss(batch)
    method.progress = 0.5
    method.loss(batch)
    for c in range(3):
        masks = [(one == c + 1).float() for one in labels if (one == c + 1).any()]
        if masks:
            torch.testing.assert_close(method.context.means[c], torch.stack(masks).mean(dim=0))
    assert (labels == 1).any()
    assert not torch.isin(labels[0], torch.tensor(3)).any(), "absent classes have no mask"


@pytest.mark.parametrize("scales", [(1.0,), (1.0, 0.5)])
def test_the_read_out_adds_maps_with_their_contexts_and_divides_by_the_maximum(scales):
    method, image = remembered(make(scales=scales)), noise(2, 3, 8, 16)
    with torch.no_grad():
        said = method.predict(Batch(("a", "b"), image, TAGS))
        for b in range(2):
            sizes = [(round(8 * s), round(16 * s)) for s in scales]
            total = added_maps(lambda x: maps_by_hand(method, x[0])[None], image[b], sizes)
            expected = divided_by_their_maximum(total, TAGS[b])
            torch.testing.assert_close(said[b], expected, atol=1e-5, rtol=1e-4)
