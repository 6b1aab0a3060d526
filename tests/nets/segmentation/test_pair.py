"""Two networks that learn side by side."""

import torch
from torch import nn

from tests.tiny import Painter
from wsss_lib.nets.segmentation.pair import Pair


class Normed(Painter):
    """A painter whose normalisation takes notes of every batch in training."""

    def __init__(self):
        super().__init__(2)
        self.backbone = nn.BatchNorm2d(3)

    def forward(self, image):
        return super().forward(self.backbone(image))


def pair():
    torch.manual_seed(0)
    two = Pair(Normed(), Normed())
    with torch.no_grad():
        for weight in two.parameters():
            weight.normal_()
    return two


def test_they_answer_with_the_mean_of_their_logits():
    two, image = pair().eval(), torch.rand(2, 3, 4, 5)
    logits = [net(image) for net in two.nets]
    assert all(torch.equal(one, other) for one, other in zip(two(image), logits, strict=True))
    wanted = ((logits[0] + logits[1]) / 2).softmax(dim=1)
    assert torch.allclose(two.probabilities(image), wanted)


def test_asked_while_they_learn_they_answer_as_later_and_take_no_note():
    two, image = pair().train(), torch.rand(2, 3, 4, 5)
    two.nets[0].backbone.eval()  # a normalisation that is frozen stays so
    before = {name: value.clone() for name, value in two.state_dict().items()}
    labels, best = two.online(image)
    assert two.training
    assert two.nets[1].backbone.training
    assert not two.nets[0].backbone.training
    assert all(torch.equal(value, before[name]) for name, value in two.state_dict().items())
    sure, said = two.eval().probabilities(image).max(dim=1)
    assert torch.equal(labels, said)
    assert torch.equal(best, sure)
    assert not best.requires_grad
