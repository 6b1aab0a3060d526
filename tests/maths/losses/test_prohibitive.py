"""Labels that a classifier permits, pixel by pixel."""

import torch
import torch.nn.functional as F

from wsss_lib.losses.prohibitive import permitted_labels, prohibitive_loss


def test_labels_equal_a_loop_over_pixels():
    torch.manual_seed(0)
    maps, present = torch.rand(2, 4, 3, 5).softmax(dim=1), torch.rand(2, 3)
    labels = permitted_labels(maps, present)
    for b in range(2):
        for y in range(3):
            for x in range(5):
                weighed = [float(maps[b, 0, y, x])]
                weighed += [float(present[b, c] * maps[b, c + 1, y, x]) for c in range(3)]
                assert labels[b, y, x] == max(range(4), key=weighed.__getitem__)


def test_the_loss_is_the_cross_entropy_with_these_labels_and_they_carry_no_gradient():
    torch.manual_seed(0)
    logits, present = torch.randn(2, 4, 3, 5, requires_grad=True), torch.rand(2, 3).requires_grad_()
    prohibitive_loss(logits, present).backward()
    labels = permitted_labels(logits.softmax(dim=1), present)
    expected = (logits.softmax(dim=1) - F.one_hot(labels, 4).permute(0, 3, 1, 2)) / labels.numel()
    assert torch.allclose(logits.grad, expected, atol=1e-6)
    assert present.grad is None
