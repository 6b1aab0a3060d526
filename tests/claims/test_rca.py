"""Zhou et al. 2022: regions meet those of their class from all over the data set."""

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.distributions import Beta

from tests.loops import added_maps, divided_by_their_maximum, soft_margin
from tests.tiny import TWO_IMAGES, Slanted, noise
from wsss_lib.core import Batch, Recipe
from wsss_lib.methods.image_level.affinity.rca import RCA
from wsss_lib.nets.heads.memory import RegionHeads

HEAD, BODY, GROUND = torch.eye(3)
PICTURE = (HEAD, BODY, BODY, GROUND, GROUND, GROUND)


class Colours(nn.Module):
    """A backbone that answers the colours of an image."""

    channels, strides = [3], [1]

    def forward(self, image):
        return [image]


def make(backbone=None, classes=2, **settings):
    torch.manual_seed(0)
    heads = RegionHeads(3, classes, slots=6, clusters=2, momentum=0.5, width=4, convs=0)
    with torch.no_grad():
        for weight in heads.parameters():
            weight.normal_()
    method = RCA(backbone or Colours(), heads, **{"refresh": 10, "scales": (1.0,), **settings})
    method.recipe = Recipe(steps=100)
    return method.eval()


def filled(method, each=5):
    """Its memory knows some regions of each class, of class c about the c-th colour."""
    memory, chance = method.heads.memory, torch.Generator().manual_seed(3)
    for _ in range(each):
        kinds = torch.eye(3)[None, : len(memory.visits)]
        seen = kinds + 0.2 * torch.rand(1, len(memory.visits), 3, generator=chance)
        memory.write(seen, torch.ones(1, len(memory.visits)))
    memory.cluster()
    return method


def test_a_body_is_lit_by_regions_of_other_images_that_have_a_head_too():
    """The classifier knows the head alone, and this image shows none."""
    method = make(classes=1)
    with torch.no_grad():
        for name in ("query", "key", "value", "back"):
            layer = getattr(method.heads.aggregate, name)
            layer.weight.zero_()
            layer.weight.flatten(1)[:3, :3].copy_(torch.eye(3))
        method.heads.aggregate.mix.weight.copy_(torch.eye(3).repeat(1, 2)[:, :, None, None])
        method.heads.refined[0].weight.copy_(HEAD.view(1, 3, 1, 1))
        image = torch.stack(PICTURE[1:]).T[None, :, None]
        assert not method.class_maps(image).any()
        whole = torch.stack([(HEAD + 2 * BODY) / 3, (HEAD + BODY) / 2])
        for region in whole:
            method.heads.memory.write(region[None, None], torch.ones(1, 1))
        method.heads.memory.cluster()
        said = method.predict(Batch(("a",), image, torch.ones(1, 1)))[0, 0, 0]
    assert said[:2].min() > 0.99
    assert said[2:].max() < 1e-6


def test_contrast_draws_what_a_class_shows_to_what_other_images_showed_of_it():
    """Pictures of the body alone; what is remembered of their class are heads."""
    method = filled(make(weights=(0.0, 1.0), sure=1.0))
    method.progress = 0.5
    image = 0.1 * noise(4, 3, 4, 4) + torch.stack([BODY, GROUND] * 2)[:, :, None, None]
    tags = torch.eye(2).repeat(2, 1)
    batch = Batch(tuple("abcd"), image, tags)
    slots = F.normalize(method.heads.memory.slots[:, :5], dim=2).mean(dim=1)

    def preference():
        """How much nearer an image is to what is remembered of its class than to the other's."""
        with torch.no_grad():
            seen = F.normalize(method.heads.embed(image).mean(dim=(2, 3)), dim=1) @ slots.T
        return (seen * (2 * tags - 1)).sum(dim=1)

    own = [*method.heads.embed.parameters()]
    for _ in range(60):
        slopes = torch.autograd.grad(method.loss(batch)["contrast"], own)
        with torch.no_grad():
            for weight, slope in zip(own, slopes, strict=True):
                weight -= 0.03 * slope
    assert preference().min() > 0.2


def sure_of(method, *logits):
    """Its refined maps are so high everywhere, whatever the image shows; its regions are whole."""
    with torch.no_grad():
        method.heads.aggregate.mix.weight.zero_()
        method.heads.aggregate.mix.weight[:, :3, 0, 0] = torch.eye(3)
        method.heads.refined[0].weight.copy_(
            torch.tensor(logits).view(-1, 1, 1, 1).expand(-1, 3, 1, 1)
        )
    return method


def test_a_class_is_remembered_if_it_is_present_and_the_classifier_is_sure():
    limit = math.log(0.7 / 0.3)
    image = torch.stack(PICTURE).T[None, :, None].expand(3, -1, -1, -1)  # colours that sum to one
    tags = torch.tensor([[1.0, 1], [1, 0], [0, 1]])
    for logits, visits in (
        ((limit + 0.01, limit - 0.01), [2, 0]),
        ((limit - 0.01, limit + 0.01), [0, 2]),
        ((limit + 0.01, limit + 0.01), [2, 2]),
    ):
        method = sure_of(make(), *logits)
        method.loss(Batch(tuple("abc"), image, tags))
        assert method.heads.memory.visits.tolist() == visits


def test_what_is_remembered_is_the_mean_feature_where_the_coarse_map_is_high():
    method = sure_of(make(), 5.0, 5.0)
    image, tags = noise(2, 3, 4, 5), torch.ones(2, 2)
    method.loss(Batch(("a", "b"), image, tags))
    weights = method.heads.coarse[0].weight[:, :, 0, 0].detach()
    for b in range(2):
        maps = torch.einsum("cd,dhw->chw", weights, image[b])
        shares = maps.exp() / maps.exp().sum(dim=0)
        for c in range(2):
            inside = [
                image[b, :, y, x]
                for y in range(4)
                for x in range(5)
                if shares[c, y, x] > shares[c].sum() / 20
            ]
            torch.testing.assert_close(method.heads.memory.slots[c, b], sum(inside) / len(inside))
            assert len(inside) < 20


def test_a_step_is_contrasted_with_what_was_remembered_before_it():
    """Otherwise a region would be its own positive."""
    method = sure_of(make(), 5.0, 5.0)
    method.progress = 0.5
    batch = Batch(("a", "b"), noise(2, 3, 4, 5), torch.ones(2, 2))
    assert method.loss(batch)["contrast"] == 0
    assert method.loss(batch)["contrast"] > 0


def test_clusters_change_when_their_time_has_come():
    method = sure_of(make(), 5.0, 5.0)
    changes = []
    for step in range(5, 32):
        batch = Batch(("a", "b"), noise(2, 3, 4, 5, seed=step), torch.ones(2, 2))
        method.progress = step / 100
        before = method.heads.memory.centres.clone()
        method.loss(batch)
        if not torch.equal(before, method.heads.memory.centres):
            changes.append(step)
    assert changes == [10, 20, 30]


def test_nothing_is_contrasted_in_the_first_fifteenth():
    method = filled(make(sure=1.0))
    batch = Batch(("a", "b"), noise(2, 3, 4, 5), torch.ones(2, 2))
    for progress, learns in ((0.0, False), (0.06, False), (2 / 30, True), (1.0, True)):
        method.progress = progress
        assert bool(method.loss(batch)["contrast"] > 0) == learns


def by_hand(region, c, memory, t=0.07):
    """Each remembered region of the class against all of the others."""
    cosines = {
        (k, n): float(F.cosine_similarity(region, memory.slots[k, n], dim=0))
        for k in range(3)
        for n in range(int(memory.visits[k]))
    }
    against = sum(math.exp(v / t) for (k, _), v in cosines.items() if k != c)
    pulls = [math.log1p(against / math.exp(v / t)) for (k, _), v in cosines.items() if k == c]
    return sum(pulls) / len(pulls)


def test_terms_equal_the_equations_typed_out():
    method = filled(make(classes=3, sure=1.0))
    method.progress, heads = 0.31, method.heads
    image, tags = noise(2, 3, 4, 5), torch.tensor([[1.0, 0, 1], [1, 1, 1]])
    with torch.no_grad():
        torch.manual_seed(6)
        terms = method.loss(Batch(("a", "b"), image, tags))
        coarse, refined = heads.coarse(image), heads(image)
        embedded = heads.embed(image)
    pairs = [(b, c) for b in range(2) for c in range(3) if tags[b, c]]
    share = torch.tensor([1 / float(tags[b].sum()) for b, _ in pairs])
    torch.manual_seed(6)
    partner = torch.multinomial(share, 5, replacement=True).tolist()
    weights = Beta(8.0, 8.0).sample((5,)).tolist()
    regions = []
    for b, c in pairs:
        shares = coarse[b].exp() / coarse[b].exp().sum(dim=0)
        places = [(y, x) for y in range(4) for x in range(5) if shares[c, y, x] > shares[c].mean()]
        regions.append(sum(embedded[b, :, y, x] for y, x in places) / len(places))
    total = 0.0
    for (b, c), p, w, region in zip(pairs, partner, weights, regions, strict=True):
        mixed = w * region + (1 - w) * regions[p]
        other = pairs[p][1]
        loss = w * by_hand(mixed, c, heads.memory) + (1 - w) * by_hand(mixed, other, heads.memory)
        total += loss / float(tags[b].sum())
    assert {*terms} == {"refined", "coarse", "contrast"}
    assert terms["contrast"] == pytest.approx(0.01 * total, rel=1e-3)
    pooled = [
        torch.stack([torch.stack([m.sum() / 20 for m in one]) for one in maps])
        for maps in (coarse, refined)
    ]
    assert terms["coarse"] == pytest.approx(0.4 * float(soft_margin(pooled[0], tags)), rel=1e-4)
    assert terms["refined"] == pytest.approx(float(soft_margin(pooled[1], tags)), rel=1e-4)


def test_contrast_teaches_the_features_and_no_classifier():
    method = filled(make(Slanted()))
    method.backbone.gain = nn.Parameter(torch.ones(()))
    method.backbone.forward = lambda image: [method.backbone.gain * image.sin()]
    method.progress = 0.5
    method.loss(Batch(("a", "b"), noise(2, 3, 4, 5), torch.ones(2, 2)))["contrast"].backward()
    assert method.backbone.gain.grad.abs() > 0
    assert method.heads.embed[0].weight.grad.any()
    for part in (method.heads.coarse, method.heads.refined, method.heads.aggregate):
        assert all(weight.grad is None for weight in part.parameters())


def test_a_checkpoint_goes_on_with_the_same_result():
    method = sure_of(make(), 5.0, 5.0)
    batch = Batch(("a", "b"), noise(2, 3, 4, 5), torch.ones(2, 2))
    for step in (9, 10, 11):
        method.progress = step / 100
        method.loss(batch)
    other = make()
    other.load_state_dict(copy.deepcopy(method.state_dict()))
    for step in (19, 20, 21):
        values = []
        for one in (method, other):
            torch.manual_seed(step)
            one.progress = step / 100
            values.append([float(term.detach()) for term in one.loss(batch).values()])
        assert values[0] == values[1]
    assert torch.equal(method.predict(batch), other.predict(batch))


@pytest.mark.parametrize("scales", [(1.0,), (1.0, 0.5)])
def test_the_read_out_adds_refined_maps_and_divides_by_the_maximum(scales):
    method, image = filled(make(Slanted(), classes=3, scales=scales)), noise(2, 3, 8, 12)
    with torch.no_grad():
        said = method.predict(Batch(("a", "b"), image, TWO_IMAGES))
        for b in range(2):
            sizes = [(round(8 * s), round(12 * s)) for s in scales]
            total = added_maps(lambda x: method.heads(Slanted()(x)[-1]), image[b], sizes)
            expected = divided_by_their_maximum(total, TWO_IMAGES[b])
            assert expected.amax(dim=(1, 2)).sum() >= 1
            torch.testing.assert_close(said[b], expected, atol=1e-5, rtol=1e-4)
