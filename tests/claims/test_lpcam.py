"""Chen and Sun 2023: clusters of features light up what the classifier's weights leave dark."""

import io

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.claims.test_cam import Squares
from tests.loops import divided_by_their_maximum, one_at_another_size, soft_margin
from tests.tiny import TWO_IMAGES, Slanted, noise
from wsss_lib.blocks.maps.prototypes import Clustering, divide_features
from wsss_lib.core import Batch, Recipe
from wsss_lib.data.view import WeakView
from wsss_lib.engine import fit
from wsss_lib.methods.image_level.cam.cam import CAM
from wsss_lib.methods.image_level.cam.lpcam import LPCAM
from wsss_lib.nets.backbones.toy import toy_cnn

HEAD, BODY, GROUND, SKY = torch.eye(4)


class Parts(nn.Module):
    """Four features, which a picture shows by its colours: three channels and what they lack."""

    channels, strides = [4], [1]

    def forward(self, image):
        return [torch.cat([image, 1 - image.sum(dim=1, keepdim=True)], dim=1)]


def picture(*rows):
    """(1, 3, H, W) whose pixels show what the rows name."""
    return torch.stack([torch.stack(row) for row in rows]).permute(2, 0, 1)[None, :3]


ANIMAL = picture([HEAD, BODY, BODY, BODY], [GROUND] * 4, [SKY] * 4)


@pytest.fixture
def net():
    """Two classes: the first by a head and, hardly, a body; the second by grounds."""
    method = LPCAM(Parts(), 2, scales=(1.0,), clusters=Clustering(2), gather=3)
    method.recipe = Recipe(10)
    with torch.no_grad():
        weights = torch.tensor([[20.0, 4.0, 0.5, -9.0], [0.0, 0.0, 1.0, 0.0]])
        method.classifier.weight.copy_(weights[:, :, None, None])
    return method


def train_on(method, image, tags, left=1):
    """One step, so many before the end."""
    method.progress = (method.recipe.steps - left) / method.recipe.steps
    size = len(image)
    return method.loss(Batch(tuple("abcd"[:size]), image, tags))


def test_the_body_is_as_bright_as_the_head_though_the_weights_do_not_need_it(net):
    tags = torch.tensor([[1.0, 0.0]])
    batch = Batch(("a",), ANIMAL, tags)
    with torch.no_grad():
        cam = CAM(Parts(), 2, scales=(1.0,))
        cam.load_state_dict({k: v for k, v in net.state_dict().items() if "extra" not in k})
        assert cam.predict(batch)[0, 0, 0, 1:].max() < 0.3
        train_on(net, ANIMAL, tags)
        said = net.predict(batch)[0, 0]
    assert said[0].min() > 0.99
    assert said[1:].max() < 0.01


def found(net, **rules):
    """Its prototypes under other rules."""
    net.clusters = Clustering(**{"count": 2, **rules})
    train_on(net, ANIMAL, torch.tensor([[1.0, 0.0]]))
    return net.get_extra_state()["prototypes"]


def test_prototypes_are_the_centres_that_the_classifier_recognises(net):
    """Object: sure of the class. Context: neither sure nor certain that it is something else."""
    both = sorted([HEAD.tolist(), BODY.tolist()])
    # P(class 0): head 1.00, body .98; ground .38, sky .0001.
    kept = found(net)
    assert {*kept} == {"object 0", "context 0"}
    assert sorted(kept["object 0"].tolist()) == both
    assert kept["context 0"].tolist() == [GROUND.tolist()]
    for doubtful in ((0.4, 0.9), (0.05, 0.3)):
        assert not len(found(net, doubtful=doubtful)["context 0"]), "the ground has .38"
    assert sorted(found(net, sure=0.97)["object 0"].tolist()) == both
    assert found(net, sure=0.99)["object 0"].tolist() == [HEAD.tolist()]


def test_of_centres_that_are_never_sure_the_clearest_is_kept(net):
    with torch.no_grad():
        net.classifier.weight.mul_(0.02)
    kept = found(net)["object 0"]
    assert len(kept) == 1
    assert kept[0].argmax() == 0, "the head"


def test_only_the_last_steps_are_kept_and_only_the_last_one_clusters(net):
    tags = torch.tensor([[1.0, 0.0]])
    for left, kept in ((10, 0), (4, 0), (3, 1), (2, 2)):
        train_on(net, ANIMAL, tags, left)
        state = net.get_extra_state()
        assert (len(state["seen"]), state["prototypes"]) == (kept, {})
    train_on(net, ANIMAL, tags, 1)
    assert not net.get_extra_state()["seen"]
    assert net.get_extra_state()["prototypes"]


def test_a_class_that_was_never_seen_has_its_weights_for_a_prototype(net):
    image, weights = noise(2, 3, 3, 4) / 3, net.classifier.weight[:, :, 0, 0].detach()
    maps = net.class_maps(image).detach()
    mirrored = Parts()(image)[0] + Parts()(image.flip(-1))[0].flip(-1)
    for c in range(2):
        wanted = F.cosine_similarity(mirrored, weights[c][None, :, None, None], dim=1)
        assert torch.allclose(maps[:, c], wanted, atol=1e-6)


def test_its_classifier_is_that_of_cam_bit_by_bit():
    """The same loss, the same steps, nothing drawn: what differs is the read-out alone."""
    trained = []
    for kind in (CAM, LPCAM):
        torch.manual_seed(0)
        method = kind(toy_cnn(pretrained=False), 2, scales=(1.0,))
        method.recipe = Recipe(6, 8, 3e-3, 1.0, 0.01, "adamw", flip=True)
        fit(method, WeakView(Squares()), seed=0)
        trained.append(method)
    cam, lpcam = (method.state_dict() for method in trained)
    assert {*cam} == {*lpcam} - {"_extra_state"}
    assert all(torch.equal(value, lpcam[name]) for name, value in cam.items())
    assert {*lpcam["_extra_state"]["prototypes"]} >= {"object 0", "object 1"}
    assert CAM.recipe == LPCAM.recipe
    assert CAM.toy(2).recipe == LPCAM.toy(2).recipe
    assert CAM.toy(2).scales == LPCAM.toy(2).scales


def test_it_looks_at_what_it_kept_as_a_trained_network_does():
    """Batch normalisation neither learns from the look nor takes the batch for its statistics."""
    torch.manual_seed(0)
    net = LPCAM(toy_cnn(pretrained=False), 2, clusters=Clustering(1, sure=0.0)).train()
    with torch.no_grad():
        net.classifier.weight.abs_()
    image, tags = noise(2, 3, 16, 16).half().float(), torch.eye(2)
    net._seen = [(image, tags)]
    before = {name: value.clone() for name, value in net.backbone.named_buffers()}
    net.find_prototypes()
    assert all(torch.equal(value, before[name]) for name, value in net.backbone.named_buffers())
    assert net.backbone.training
    weights = net.classifier.weight.detach().flatten(1)
    looks = [(net.eval().backbone(image)[-1].detach(), tags)]
    wanted = divide_features(looks, weights, 0.1)
    for c in range(2):
        own = net.get_extra_state()["prototypes"][f"object {c}"]
        assert torch.allclose(own[0], wanted[f"object {c}"].mean(dim=0), atol=1e-5)
        assert not own.requires_grad


def test_a_checkpoint_carries_what_was_seen_and_what_was_found(net):
    for left in (2, 1):
        train_on(net, ANIMAL, torch.tensor([[1.0, 0.0]]), left)
        file = io.BytesIO()
        torch.save(net.state_dict(), file)
        file.seek(0)
        other = LPCAM(Parts(), 2, scales=(1.0,))
        other.load_state_dict(torch.load(file, weights_only=True))
        assert torch.equal(other.class_maps(ANIMAL), net.class_maps(ANIMAL))
        assert len(other.get_extra_state()["seen"]) == (left == 2)


def test_the_read_out_value_by_value():
    """Features of both mirror images added; mean cosine to one kind minus that to the other."""
    net = LPCAM(Slanted(), 3, scales=(1.0, 2.0))
    chance = torch.Generator().manual_seed(0)
    own = [torch.randn(k, 3, generator=chance) for k in (2, 3, 1)]
    context = [torch.randn(k, 3, generator=chance) for k in (1, 0, 2)]
    kinds = {"object": own, "context": context}
    prototypes = {f"{kind} {c}": v for kind, all in kinds.items() for c, v in enumerate(all)}
    net.set_extra_state({"seen": [], "prototypes": prototypes})
    image = noise(2, 3, 4, 6)
    said = net.predict(Batch(("a", "b"), image, TWO_IMAGES)).detach()

    def cosine(f, z):
        return float(f @ z) / float(f.norm() * z.norm())

    for b in range(2):
        total = torch.zeros(3, 4, 6)
        for size in ((4, 6), (8, 12)):
            seen = one_at_another_size(image[b], size)[None]
            features = Slanted()(seen)[-1][0] + Slanted()(seen.flip(-1))[-1][0].flip(-1)
            maps = torch.zeros(3, *size)
            for c in range(3):
                for y in range(size[0]):
                    for x in range(size[1]):
                        f = features[:, y, x]
                        value = sum(cosine(f, z) for z in own[c]) / len(own[c])
                        if len(context[c]):
                            value -= sum(cosine(f, z) for z in context[c]) / len(context[c])
                        maps[c, y, x] = max(value, 0.0)
            total += one_at_another_size(maps, (4, 6))
        wanted = divided_by_their_maximum(total, TWO_IMAGES[b])
        assert wanted.amax(dim=(1, 2)).sum() >= 1
        assert torch.allclose(said[b], wanted, atol=1e-5)


def test_the_loss_is_that_of_the_pooled_maps(net):
    torch.manual_seed(0)
    image, tags = torch.rand(2, 3, 4, 5) / 3, torch.tensor([[1.0, 1.0], [0.0, 1.0]])
    terms = train_on(net, image, tags, 5)
    assert {*terms} == {"cls"}
    logits = torch.einsum(
        "cd,bd->bc", net.classifier.weight[:, :, 0, 0], Parts()(image)[0].mean((2, 3))
    )
    assert torch.isclose(terms["cls"], soft_margin(logits, tags))
