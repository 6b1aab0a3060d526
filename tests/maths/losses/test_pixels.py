import torch

from wsss_lib.core import IGNORE
from wsss_lib.losses.pixels import pixel_loss
from wsss_lib.losses.tags import tag_loss


def test_tag_loss_is_the_multi_label_soft_margin_loss():
    logits, tags = torch.randn(4, 5), torch.randint(0, 2, (4, 5)).float()
    peer = torch.nn.functional.multilabel_soft_margin_loss(logits, tags)
    assert torch.isclose(tag_loss(logits, tags), peer)


def test_pixel_loss_looks_at_labelled_pixels_only():
    logits, labels = torch.randn(2, 3, 4, 4), torch.randint(0, 3, (2, 4, 4))
    labels[0] = IGNORE
    expected = torch.nn.functional.cross_entropy(logits[1:], labels[1:])
    assert torch.isclose(pixel_loss(logits, labels), expected)


def test_pixel_loss_without_labels_is_zero_and_differentiable():
    logits = torch.randn(1, 3, 2, 2, requires_grad=True)
    loss = pixel_loss(logits, torch.full((1, 2, 2), IGNORE))
    loss.backward()
    assert loss == 0
    assert torch.equal(logits.grad, torch.zeros_like(logits))
