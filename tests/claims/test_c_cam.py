"""Chen et al. 2022: contexts of all categories in the features, and a place for each organ."""

import torch
from torch import nn

from tests.loops import added_maps, divided_by_their_maximum, soft_margin
from tests.tiny import noise
from wsss_lib.blocks.maps.class_maps import normalize
from wsss_lib.core import Batch
from wsss_lib.methods.image_level.cooccurrence.c_cam import CCAM

TAGS = torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]])


class Colours(nn.Module):
    """A backbone of colours minus one half."""

    channels, strides = [3], [1]

    def forward(self, image):
        return [image - 0.5]


def make(**settings):
    torch.manual_seed(0)
    settings = {"side": 4, "scales": (1.0, 0.5), **settings}
    method = CCAM(Colours(), 3, **settings)
    method.context.gain = 5.0
    with torch.no_grad():
        method.classifier.weight.copy_(noise(3, 4, 1, 1) - 0.3)
    return method


def remembered(method):
    """A method in its second half, which knows where two of three classes are."""
    method.context.means = torch.zeros(3, 4, 4)
    method.context.means[0, :2, :2] = 0.5
    method.context.means[0, 0, 0] = 0.25
    method.context.means[1, 2:] = 0.8
    method.context.round = torch.tensor(1)
    method.progress = 0.6
    return method


def maps_by_hand(method, image):
    """(3, H, W) -> (C, H, W): the classifier on colours and context, typed out."""
    weight = method.classifier.weight[:, :, 0, 0]
    plain = torch.einsum("cd,dhw->chw", weight[:, :3], image - 0.5)
    mask = plain.amax(dim=0).clamp(min=0)
    mask = mask / mask.max() if mask.max() > 1e-5 else 0 * mask
    side = method.context.side
    small = nn.functional.interpolate(
        mask[None, None], (side, side), mode="bilinear", antialias=True
    ).flatten()
    look = method.context.query.weight @ small
    keys = [method.context.key.weight @ mean.flatten() for mean in method.context.means]
    likeness = [(look @ key / 3**0.5).exp() for key in keys]
    total = sum(
        one / sum(likeness) * mean / 3
        for one, mean in zip(likeness, method.context.means, strict=True)
    )
    wide = nn.functional.interpolate(total[None, None], image.shape[1:], mode="bilinear")[0, 0]
    return plain + weight[:, 3, None, None] * method.context.gain * wide


def prior_by_hand(method, size):
    found = []
    for mean in method.context.means:
        share = mean / mean.max() if mean.max() > 0 else torch.ones_like(mean)
        wide = nn.functional.interpolate(share[None, None], size, mode="bilinear")[0, 0]
        found.append((wide > 0.2).float())
    return torch.stack(found)


def test_without_a_prior_it_is_plain_cam():
    method, image = make(scales=(1.0,)), noise(2, 3, 8, 12)
    batch = Batch(("a", "b"), image, TAGS)
    plain = torch.einsum("cd,bdhw->bchw", method.classifier.weight[:, :3, 0, 0], image - 0.5)
    torch.testing.assert_close(method.class_maps(image), plain)
    torch.testing.assert_close(method.predict(batch), normalize(plain, TAGS))
    assert method.loss(batch)["shape"] == 0


def test_a_map_is_zero_where_its_organ_never_is():
    """Class 0 keeps to the upper left and class 1 to the lower half, whatever the colours say."""
    method, image = remembered(make(scales=(1.0,))), noise(2, 3, 4, 4)
    with torch.no_grad():
        method.classifier.weight.fill_(0.5)
        said = method.predict(Batch(("a", "b"), image + 0.5, TAGS))
    assert (said[0, 0, 2:] == 0).all()
    assert (said[0, 0, :, 2:] == 0).all()
    assert (said[:, 1, :2] == 0).all()
    assert (said[:, 1, 2:] > 0).all()
    assert (said[1, 2] > 0).all(), "of a class that was never seen nothing is known"


def test_organs_that_always_come_together_part_where_their_places_differ():
    """Two organs, always both: what lights up for both is given to each where it usually lies."""
    method = remembered(make(scales=(1.0,)))
    image = torch.full((1, 3, 4, 4), 0.5)
    image[0, 0, :2, :2], image[0, 0, 2:] = 0.9, 0.8
    with torch.no_grad():
        method.classifier.weight.zero_()
        method.classifier.weight[:2, 0] = 1.0  # both classes by the same colour
        said = method.predict(Batch(("a",), image, torch.tensor([[1.0, 1.0, 0.0]])))[0]
        alike = method.class_maps(image)[0]
    assert torch.equal(alike[0], alike[1])
    assert said[0, 0, 1] > said[1, 0, 1]
    assert said[1, 3, 0] > said[0, 3, 0]


def test_masks_of_the_first_half_are_the_places_of_the_second():
    method, image = make(cut=0.4), noise(2, 3, 4, 4)
    batch = Batch(("a", "b"), image, TAGS)
    with torch.no_grad():
        scores = normalize(method.class_maps(image), TAGS)
    method.progress = 0.49
    method.loss(batch)
    assert method.context.means.max() == 0
    method.progress = 0.5
    method.loss(batch)
    for c in range(3):
        masks = []
        for b in range(2):
            mask = torch.zeros(4, 4)
            for y in range(4):
                for x in range(4):
                    here = scores[b, :, y, x]
                    mask[y, x] = float(here.argmax() == c and here[c] > 0.4)
            if mask.any():
                masks.append(mask)
        assert masks
        torch.testing.assert_close(method.context.means[c], torch.stack(masks).mean(dim=0))


def test_new_masks_keep_to_the_places():
    """In the second half, what is gathered was multiplied by the prior and normalised again."""
    method, image = remembered(make()), noise(2, 3, 4, 4)
    with torch.no_grad():
        method.classifier.weight.fill_(0.5)
        method.loss(Batch(("a", "b"), image + 0.5, TAGS))
    assert (method.context.sums[0, 2:] == 0).all()
    assert (method.context.sums[1, :2] == 0).all()
    assert method.context.sums[0].max() > 0


def test_terms_equal_the_equations_typed_out():
    method, image = remembered(make(weight=0.7)), noise(2, 3, 8, 12)
    with torch.no_grad():
        terms = method.loss(Batch(("a", "b"), image, TAGS))
        maps = torch.stack([maps_by_hand(method, one) for one in image])
    pooled = torch.tensor([[float(one.sum()) / 96 for one in of_image] for of_image in maps])
    assert torch.isclose(terms["cls"], soft_margin(pooled, TAGS), rtol=1e-4)
    prior, gaps = prior_by_hand(method, (8, 12)), []
    for b in range(2):
        scores = divided_by_their_maximum(maps[b].clamp(min=0), TAGS[b])
        for c in range(3):
            for y in range(8):
                for x in range(12):
                    if TAGS[b, c]:
                        gaps.append(float((scores[c, y, x] * (1 - prior[c, y, x])).abs()))
    assert abs(float(terms["shape"]) - 0.7 * sum(gaps) / len(gaps)) < 1e-4


def test_the_term_of_the_shape_pulls_a_map_into_its_place():
    method, image = remembered(make()), noise(2, 3, 8, 12) + 0.3
    batch = Batch(("a", "b"), image, TAGS)
    before = method.loss(batch)["shape"].item()
    optimizer = torch.optim.SGD([method.classifier.weight], lr=0.5)
    for _ in range(20):
        optimizer.zero_grad()
        method.loss(batch)["shape"].backward()
        optimizer.step()
    assert method.loss(batch)["shape"].item() < before


def test_attention_learns_from_the_tags_and_the_mask_stops():
    method, image = remembered(make()), noise(2, 3, 8, 12)
    method.loss(Batch(("a", "b"), image, TAGS))["cls"].backward()
    assert method.context.query.weight.grad.abs().sum() > 0
    assert method.context.key.weight.grad.abs().sum() > 0
    maps = method.class_maps(image)
    slope = torch.autograd.grad(maps.sum(), method.classifier.weight)[0][0, :, 0, 0]
    feature = (image - 0.5).sum(dim=(0, 2, 3))
    torch.testing.assert_close(slope[:3], feature, rtol=1e-4, atol=1e-4)


def test_the_read_out_multiplies_the_added_maps_by_their_places():
    method, image = remembered(make()), noise(2, 3, 8, 16)
    with torch.no_grad():
        said = method.predict(Batch(("a", "b"), image, TAGS))
        prior = prior_by_hand(method, (8, 16))
        for b in range(2):
            total = added_maps(
                lambda x: maps_by_hand(method, x[0])[None], image[b], [(8, 16), (4, 8)], flip=False
            )
            expected = divided_by_their_maximum(total * prior, TAGS[b])
            torch.testing.assert_close(said[b], expected, atol=1e-5, rtol=1e-4)
