"""All systems in mixed precision, and on a GPU where there is one."""

import pytest
import torch

from tests.battery.test_all_systems import every, fresh, groups_of, make_batch, total
from wsss_lib.engine import seed_everything

gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


def step(kind, device, precision):
    """The method after one loss in this precision, gradients included."""
    method, batch = fresh(kind).to(device).train(), groups_of(kind, 4).to(device)
    method.progress = 0.99  # no warm-up: every term is at work
    seed_everything(0)
    with torch.autocast(device, precision):
        terms = method.loss(batch)
    if terms:
        total(terms).float().backward()
    return method, terms


def check_gradients(method, terms):
    assert all(term.isfinite() for term in terms.values()), terms
    if method.recipe.steps:
        gradients = [w.grad for w in method.parameters() if w.grad is not None]
        assert gradients
        assert all(g.isfinite().all() for g in gradients)


@every
def test_bfloat16_on_the_cpu_gives_finite_gradients(kind):
    check_gradients(*step(kind, "cpu", torch.bfloat16))


@gpu
@every
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16, torch.float16])
def test_half_precision_on_the_gpu_gives_finite_gradients(kind, precision):
    check_gradients(*step(kind, "cuda", precision))


@gpu
@every
def test_the_gpu_answers_what_the_cpu_answers(kind, monkeypatch):
    # GPUs round convolutions to ten bits unless told not to, and climbs multiply the roundings.
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    batch, one, other = make_batch(2, 64, 64), fresh(kind), fresh(kind).to("cuda")
    with torch.inference_mode():
        here, there = one.predict(batch), other.predict(batch.to("cuda")).cpu()
    # Cuts and thresholds turn a rounding into a pixel here and there.
    assert ((here - there).abs() > 0.01).float().mean() < 0.005
