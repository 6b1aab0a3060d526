"""What holds for every network that is taught to agree with a refinement of its own answer."""

import pytest
import torch

from tests.tiny import Painter
from wsss_lib.core import Batch, InputError


def coloured(image, answer):
    """A refinement that any change of image, size or answer changes."""
    return (answer + image[:, :1] * answer.roll(1, dims=-1)) / (1 + image[:, :1])


def check_rounding(kind, batch):
    """Losses see images of 9 x 17 pixels, shrunk by 8, at 2 x 3."""
    sizes = []

    def watched(image, answer):
        sizes.append((tuple(image.shape), tuple(answer.shape)))
        return answer

    kind(Painter(), refine=watched).loss(batch)
    assert sizes == [((2, 3, 2, 3), (2, 4, 2, 3))]


def check_target(method, batch, term):
    """The slope of a term is that towards what the colours make of the answer now, and fixed."""
    slope = torch.autograd.grad(method.loss(batch)[term], method.net.mix)[0]
    fixed = method.answers(batch.image)[1]
    method.refine = lambda image, answer: fixed
    assert slope.any()
    assert torch.equal(torch.autograd.grad(method.loss(batch)[term], method.net.mix)[0], slope)


def check_weight(make, batch, term):
    """One term counts as often as is asked for; on the toy world it counts tenfold."""
    once, thrice = (make(weight=weight).loss(batch) for weight in (1.0, 3.0))
    assert {name for name in once if not torch.equal(once[name], thrice[name])} == {term}
    assert torch.allclose(3 * once[term], thrice[term])
    assert (make().weight, type(make()).toy(2).weight) == (1, 30)


def check_refinements(kind, batch):
    """A dense CRF, and PAMR on the toy world."""
    assert kind(Painter()).refine.func.__name__ == "dense_crf"
    assert kind.toy(2).refine.func.__name__ == "pamr"
    assert all(value.isfinite() for value in kind(Painter(), shrink=1).loss(batch).values())


def check_needs(method, batch):
    """Tags and scores are missed by name."""
    for missing in ("tags", "scores"):
        fields = {"tags": batch.tags, "scores": batch.scores, missing: None}
        with pytest.raises(InputError, match=missing):
            method.loss(Batch(batch.ids, batch.image, **fields))
