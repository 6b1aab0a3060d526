"""A network that tells drawn masks from labels."""

import torch

from tests.tiny import noise
from wsss_lib.nets.segmentation.discriminator import Discriminator


def test_one_number_for_each_pixel_at_any_size():
    judge = Discriminator(2, (4, 6))
    for h, w in ((16, 24), (17, 9), (1, 1)):
        assert judge(torch.rand(2, 3, h, w)).shape == (2, 1, h, w)
    convolutions = [layer for layer in judge.layers if isinstance(layer, torch.nn.Conv2d)]
    assert [layer.stride for layer in convolutions] == [(2, 2)] * 3
    assert judge.layers(torch.rand(1, 3, 16, 24)).shape == (1, 1, 2, 3)


def test_another_may_learn_from_it_while_it_does_not():
    judge, masks = Discriminator(2, (4, 6)), noise(2, 3, 16, 16).requires_grad_()
    torch.testing.assert_close(judge.for_another(masks), judge(masks))
    judge.for_another(masks).sum().backward()
    assert masks.grad.any()
    assert all(weight.grad is None for weight in judge.parameters())


def test_labels_in_planes():
    labels = torch.tensor([[[0, 2], [255, 1]]])
    assert Discriminator(2, (4, 6)).planes(labels)[0].tolist() == [
        [[1, 0], [0, 0]],
        [[0, 0], [0, 1]],
        [[0, 1], [0, 0]],
    ]
