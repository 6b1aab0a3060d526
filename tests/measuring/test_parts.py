"""Parts of a system's answer add up to the whole."""

import pytest
import torch

from experiments.parts import Far, Near, NoContext
from wsss_lib.methods.image_level.cam.lpcam import LPCAM
from wsss_lib.methods.image_level.ensemble.mdc import MDC


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
