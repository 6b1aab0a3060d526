"""Parts of a system's answer add up to the whole."""

from types import SimpleNamespace as Namespace

import pytest
import torch

from experiments.parts import (
    Contextless,
    Far,
    FirstBranch,
    FirstPhase,
    General,
    Near,
    NoContext,
    NoPrior,
    NoThird,
    SecondBranch,
    SecondPhase,
    Unwalked,
    trained_with,
)
from wsss_lib.blocks.maps.class_maps import normalize, resize_like
from wsss_lib.core import Batch
from wsss_lib.methods.image_level.cam.lpcam import LPCAM
from wsss_lib.methods.image_level.cooccurrence.conta import CONTA
from wsss_lib.methods.image_level.ensemble.mdc import MDC
from wsss_lib.methods.image_level.erasing.seenet import SeeNet
from wsss_lib.methods.image_level.erasing.two_phase import TwoPhase
from wsss_lib.methods.image_level.extra_supervision.guided_labels import GuidedLabels
from wsss_lib.methods.image_level.extra_supervision.sance import SANCE
from wsss_lib.methods.image_level.extra_supervision.ssnet import SSNet
from wsss_lib.methods.image_level.self_supervised.sipe import SIPE


@pytest.fixture
def image():
    return torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def weights_of(method, kind):
    other = kind.toy(2).eval()
    other.load_state_dict(method.state_dict())
    return other


@torch.inference_mode()
def test_the_near_and_the_far_maps_of_mdc_are_its_map(image):
    whole = MDC.toy(2).eval()
    near, far = (weights_of(whole, kind).fused(image) for kind in (Near, Far))
    assert torch.allclose(near + far, whole.fused(image), atol=1e-6)
    assert not torch.allclose(near, far, atol=1e-3)


@torch.inference_mode()
def test_lpcam_without_context_is_what_the_context_is_taken_from(image):
    whole = LPCAM.toy(2).eval()
    tags = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    whole._seen = [(image.half(), tags)]
    whole.find_prototypes()
    like, context = whole.alike(image)
    alone = weights_of(whole, NoContext).class_maps(image)
    assert torch.equal(alone, like)
    assert torch.allclose(alone - context, whole.class_maps(image))


@pytest.fixture
def batch(image):
    return Batch(("a", "b"), image, tags=torch.tensor([[1.0, 0.0], [0.0, 1.0]]))


@torch.inference_mode()
@pytest.mark.parametrize("parts", [(FirstPhase, SecondPhase), (FirstBranch, SecondBranch)])
def test_the_larger_of_two_parts_is_the_answer(batch, parts):
    torch.manual_seed(0)
    kind = parts[0].__base__
    whole = kind.toy(2).eval()
    if kind is TwoPhase:
        whole.done.fill_(True)
    one, other = (weights_of(whole, part).predict(batch) for part in parts)
    assert not torch.allclose(one, other, atol=1e-3)
    assert torch.allclose(torch.maximum(one, other), whole.predict(batch), atol=1e-6)


@torch.inference_mode()
def test_without_the_prior_likely_background_is_seen_as_it_is(batch):
    torch.manual_seed(0)
    whole = SeeNet.toy(2).eval()
    other = weights_of(whole, NoPrior)
    ours, theirs = (one.looks(batch.image, batch.tags) for one in (other, whole))
    assert torch.equal(ours[0], theirs[0])
    assert torch.equal(ours[2], theirs[2])
    assert not torch.allclose(ours[1], theirs[1], atol=1e-3)
    whole.low = 1e-12  # hardly a share is below it, so that hardly a sign is turned
    scores = normalize(ours[0], batch.tags)
    seen = scores.amax(dim=1, keepdim=True) > 0
    assert seen.any()
    assert torch.allclose(ours[1] * seen, whole.looks(batch.image, batch.tags)[1] * seen)


@torch.inference_mode()
def test_conta_without_its_context_map_weighs_the_features_alone(image):
    torch.manual_seed(0)
    whole = CONTA.toy(2).eval()
    whole.context.means.copy_(torch.rand_like(whole.context.means))
    alone = weights_of(whole, Contextless).class_maps(image)
    weights = whole.classifier.weight[:, :-1]
    features = whole.features(image)[-1]
    torch.testing.assert_close(alone, torch.nn.functional.conv2d(features, weights))
    assert not torch.allclose(alone, whole.class_maps(image), atol=1e-3)


@torch.inference_mode()
def test_the_branch_of_sance_alone_is_its_answer_where_nothing_walks(batch, monkeypatch):
    torch.manual_seed(0)
    whole = SANCE.toy(2).eval()
    alone = weights_of(whole, Unwalked).predict(batch)
    assert not torch.allclose(alone, whole.predict(batch), atol=0.02)
    monkeypatch.setattr(f"{SANCE.__module__}.stopped_walk", lambda maps, *rest: maps)
    assert torch.equal(alone, whole.predict(batch))


@torch.inference_mode()
def test_the_general_maps_of_sipe_are_the_class_maps_of_its_classifier(batch):
    torch.manual_seed(0)
    whole = SIPE.toy(2).eval()
    alone = weights_of(whole, General)
    alone.scales = (1.0,)
    found = alone.predict(batch)
    raw, mirrored = (
        whole.classifier(whole.backbone(x)[-1]) for x in (batch.image, batch.image.flip(-1))
    )
    maps = normalize(resize_like(normalize(raw + mirrored.flip(-1), batch.tags), batch.image))

    def likeness(scores):  # a step to the size of the side features lies between
        return torch.corrcoef(torch.stack([scores.flatten(), maps.flatten()]))[0, 1]

    assert likeness(found) > 0.95 > likeness(whole.predict(batch))


def test_without_the_third_branch_nothing_has_to_be_nothing(batch):
    torch.manual_seed(0)
    whole = SeeNet.toy(2)
    terms = weights_of(whole, NoThird).train().loss(batch)
    assert terms.keys() == {"first", "second"}
    assert torch.equal(terms["second"], whole.loss(batch)["second"])


def test_settings_of_a_paper_take_the_place_of_those_of_the_toy_world(monkeypatch):
    asked = []

    class Place:
        def make(self, kind):
            return kind.toy(2)

        def run(self, method, supervision, scores):
            asked.append((method.salient, supervision, scores))

    monkeypatch.setattr("experiments.parts.contend", lambda name, place: Namespace(scores=name))
    for kind in (GuidedLabels, SSNet):
        assert kind.toy(2).salient != 0.5
        trained_with(kind, salient=0.5)(Place())
    given = ("tags", "saliency")
    assert asked == [(0.5, given, "cam"), (0.5, given, None)]
