import itertools

import torch

from wsss_lib.core import IGNORE
from wsss_lib.losses.pixels import (
    easy_pixel_loss,
    hybrid_loss,
    judged_loss,
    pixel_loss,
    soft_pixel_loss,
    walked_pixel_loss,
    weighed_pixel_loss,
)
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


def test_a_weighed_loss_is_a_mean_over_all_pixels():
    logits, labels = torch.randn(2, 3, 4, 5), torch.randint(0, 3, (2, 4, 5))
    weights = torch.rand(2, 4, 5)
    weights[0, :2] = 0
    labels[1, 0] = IGNORE
    total = 0.0
    for b, y, x in itertools.product(range(2), range(4), range(5)):
        if labels[b, y, x] != IGNORE:
            total -= weights[b, y, x] * logits[b, :, y, x].log_softmax(dim=0)[labels[b, y, x]]
    assert torch.isclose(weighed_pixel_loss(logits, labels, weights), total / 40)


def slow_hybrid(logits, target, least=1e-3):
    yes, no = [], []
    for place, value in enumerate(target.flatten()):
        q = logits.flatten()[place].sigmoid()
        (yes if value > least else no).append(
            -(value * q.log() if value > least else (1 - q).log())
        )
    return torch.stack(yes).mean() + torch.stack(no).mean()


def test_hybrid_loss_equals_loops_over_both_sides():
    torch.manual_seed(0)
    logits, target = torch.randn(2, 3, 4, 5), torch.rand(2, 3, 4, 5)
    target[target < 0.4] = 0
    target[0, 0, 0, 0] = 0.0005  # found as good as never
    assert torch.isclose(hybrid_loss(logits, target), slow_hybrid(logits, target))
    assert torch.isclose(hybrid_loss(logits, target, 0.7), slow_hybrid(logits, target, 0.7))


def test_hybrid_loss_is_least_where_zeros_say_no_and_all_else_yes():
    target = torch.tensor([[[[0.0, 0.2, 1.0]]]])
    assert hybrid_loss(torch.tensor([[[[-60.0, 60.0, 60.0]]]]), target) < 1e-6
    half = hybrid_loss(torch.tensor([[[[-60.0, 0.0, 60.0]]]]), target)
    assert half > 0.05, "a faint target draws upwards too"


def test_scaling_the_target_scales_the_positive_side_alone():
    logits, target = torch.randn(1, 2, 3, 3), torch.rand(1, 2, 3, 3) + 0.1
    target[:, 1] = 0
    no = hybrid_loss(logits[:, 1:], target[:, 1:])
    whole, halved = hybrid_loss(logits, target) - no, hybrid_loss(logits, target / 2) - no
    assert torch.isclose(halved, whole / 2, rtol=1e-4)


def test_many_zeros_weigh_no_more_than_few():
    logits, target = torch.full((1, 1, 1, 9), 0.3), torch.tensor([[[[1.0] + [0.0] * 8]]])
    assert torch.isclose(hybrid_loss(logits, target), hybrid_loss(logits[..., :2], target[..., :2]))


def test_hybrid_loss_with_an_empty_side_has_a_finite_gradient():
    for value in (0.0, 1.0):
        logits = torch.randn(1, 2, 3, 3, requires_grad=True)
        loss = hybrid_loss(logits, torch.full((1, 2, 3, 3), value))
        loss.backward()
        assert loss > 0
        assert logits.grad.isfinite().all()


def test_a_soft_loss_is_a_mean_over_the_known_pixels():
    torch.manual_seed(0)
    logits, target = torch.randn(2, 3, 4, 5), torch.randn(2, 3, 4, 5).softmax(dim=1)
    known = torch.rand(2, 4, 5) > 0.4
    total = []
    for b, y, x in known.nonzero().tolist():
        total.append(-(target[b, :, y, x] @ logits[b, :, y, x].log_softmax(dim=0)))
    assert torch.isclose(soft_pixel_loss(logits, target, known), torch.stack(total).mean())
    assert soft_pixel_loss(logits, target, known & False) == 0


def test_hard_pixels_teach_nothing_and_still_count():
    torch.manual_seed(0)
    logits, labels = 2 * torch.randn(2, 3, 3, 4), torch.randint(0, 3, (2, 3, 4))
    labels[0, 0] = IGNORE
    losses = []
    for b, y, x in itertools.product(range(2), range(3), range(4)):
        if labels[b, y, x] != IGNORE:
            losses.append(-logits[b, :, y, x].log_softmax(dim=0)[labels[b, y, x]])
    kept = [loss for loss in losses if loss <= 1.2]
    assert 0 < len(kept) < len(losses) == 20
    torch.testing.assert_close(easy_pixel_loss(logits, labels, 1.2), sum(kept) / 20)
    least, whole = min(losses).item(), easy_pixel_loss(logits, labels, torch.inf)
    torch.testing.assert_close(easy_pixel_loss(logits, labels, least), min(losses) / 20)
    torch.testing.assert_close(whole, pixel_loss(logits, labels))
    nothing = easy_pixel_loss(logits.requires_grad_(), torch.full_like(labels, IGNORE), 1.0)
    nothing.backward()
    assert nothing == 0
    assert not logits.grad.any()


def test_a_judge_is_asked_where_it_counts():
    torch.manual_seed(0)
    judged, where = torch.randn(2, 1, 3, 4), torch.rand(2, 3, 4) > 0.4
    for genuine in (True, False):
        chances = [
            judged[b, 0, y, x].sigmoid() if genuine else 1 - judged[b, 0, y, x].sigmoid()
            for b, y, x in itertools.product(range(2), range(3), range(4))
            if where[b, y, x]
        ]
        expected = -torch.stack(chances).log().mean()
        torch.testing.assert_close(judged_loss(judged, genuine, where), expected)
    assert judged_loss(judged, True, torch.zeros_like(where)) == 0


def test_what_walks_disagree_about_counts_less():
    logits = torch.tensor([[2.0, 0.0], [0.0, 0.0]]).T.view(1, 2, 1, 2).requires_grad_()
    chances = torch.tensor([[1.0, 0.0], [0.5, 0.5]]).T.view(1, 2, 1, 2).requires_grad_()
    free = torch.ones(1, 1, 2, dtype=torch.bool)
    sure = -logits.log_softmax(dim=1)[0, 0, 0, 0].item()
    for alpha in (0.0, 1.0):  # the second pixel has no divergence
        found = walked_pixel_loss(logits, chances, free, alpha)
        assert abs(found.item() - sure / 2) < 1e-5
    torn = torch.full((1, 2, 1, 2), 0.5)
    whole, less = (walked_pixel_loss(logits, torn, free, alpha) for alpha in (0.0, 1.0))
    assert torch.isclose(less, whole / 2)  # exp(-log 2)
    found.backward()
    assert chances.grad.isfinite().all()
    assert walked_pixel_loss(logits, chances, ~free, 1.0) == 0
