"""Losses on image labels of which some are not known."""

import torch

from wsss_lib.losses.tags import known_tag_loss, tag_loss


def test_unknown_images_do_not_count():
    torch.manual_seed(0)
    logits, tags = torch.randn(4, 3), torch.randint(0, 2, (4, 3)).float()
    known = torch.tensor([True, False, True, True])
    wanted = tag_loss(logits[known], tags[known])
    assert torch.isclose(known_tag_loss(logits, tags, known), wanted)
    assert torch.isclose(known_tag_loss(logits, tags, known | True), tag_loss(logits, tags))


def test_without_known_images_it_is_zero_and_teaches_nothing():
    logits = torch.randn(2, 3, requires_grad=True)
    loss = known_tag_loss(logits, torch.ones(2, 3), torch.zeros(2, dtype=torch.bool))
    loss.backward()
    assert loss == 0
    assert torch.equal(logits.grad, torch.zeros(2, 3))
