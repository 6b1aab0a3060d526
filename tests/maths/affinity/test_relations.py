"""Trusted labels, pairs of patches, crops, and the losses of one-stage systems."""

import math

import pytest
import torch
import torch.nn.functional as F

from wsss_lib.blocks.affinity.relations import (
    near_pairs,
    near_relations,
    token_relations,
    two_threshold_labels,
    uncertain_crops,
)
from wsss_lib.losses.balanced import class_balanced_loss, halves_loss
from wsss_lib.losses.tokens import affinity_loss, patch_contrast, view_contrast


def test_two_thresholds():
    scores = torch.tensor([[0.9, 0.5, 0.1], [0.2, 0.6, 0.25]]).view(1, 2, 1, 3)
    assert two_threshold_labels(scores, 0.7, 0.25)[0, 0].tolist() == [1, 255, 0]


def test_relations_pair_by_pair():
    labels = torch.tensor([[[0, 0, 2], [2, 1, 255]]])
    related, flat = token_relations(labels)[0], labels.flatten().tolist()
    for i in range(6):
        for j in range(6):
            unknown = i == j or 255 in (flat[i], flat[j])
            assert related[i, j] == (255 if unknown else int(flat[i] == flat[j]))
    assert torch.equal(related, related.T)


def test_near_relations_pair_by_pair():
    """Labels are those nearest to a patch; far pairs do not count, a patch with itself does."""
    labels = torch.tensor([[[0, 0, 2, 1], [2, 1, 255, 1]], [[1, 0, 1, 1], [2, 2, 255, 0]]])
    fine = labels.repeat_interleave(3, dim=1).repeat_interleave(2, dim=2)
    for radius in (1, 2):
        related, near = near_relations(fine, (2, 4), radius), near_pairs((2, 4), radius)
        for b in range(2):
            for i in range(8):
                for j in range(8):
                    rows, columns = abs(i // 4 - j // 4), abs(i % 4 - j % 4)
                    assert near[i, j] == (max(rows, columns) <= radius)
                    one, other = (int(labels[b].flatten()[k]) for k in (i, j))
                    unknown = 255 in (one, other) or max(rows, columns) > radius
                    assert related[b, i, j] == (255 if unknown else int(one == other))


def test_affinity_loss_pair_by_pair():
    torch.manual_seed(0)
    affinity = torch.rand(2, 6, 6)
    labels = torch.tensor([[[0, 0, 1], [1, 2, 255]], [[0, 1, 255], [255, 1, 0]]])
    relations, lifted, lowered = near_relations(labels, (2, 3), 1), [], []
    for b in range(2):
        for i in range(6):
            for j in range(6):
                if relations[b, i, j] == 1:
                    lifted.append(1 - affinity[b, i, j])
                elif relations[b, i, j] == 0:
                    lowered.append(affinity[b, i, j])
    assert len(lifted) != len(lowered)
    expected = sum(lifted) / (len(lifted) + 1) / 2 + sum(lowered) / (len(lowered) + 1) / 2
    torch.testing.assert_close(affinity_loss(affinity, relations), expected)
    assert affinity_loss((relations == 1).float(), relations) == 0
    assert affinity_loss(affinity, torch.full_like(relations, 255)) == 0


def test_crops_are_centred_in_doubt_and_know_what_they_show():
    torch.manual_seed(0)
    labels = torch.zeros(1, 16, 16, dtype=torch.long)
    labels[..., 8:] = 1
    image = labels[:, None].float().expand(1, 3, 16, 16)
    crops, positive = uncertain_crops(image, labels, 40, 6)
    assert crops.shape == (40, 3, 6, 6)
    assert (crops[:, 0, 3, 3] == 0).all(), "a centre lies on a trusted object"
    assert torch.equal(positive[0], 2 * crops[:, 0].mean(dim=(1, 2)) > 0.2)
    assert 0 < positive.sum() < 40


def test_crops_of_images_that_are_sure_everywhere_or_small():
    labels = torch.ones(2, 4, 5, dtype=torch.long)
    crops, positive = uncertain_crops(torch.rand(2, 3, 8, 10), labels, 3, 24)
    assert crops.shape == (6, 3, 8, 8)
    assert positive.all()


def test_patch_contrast_pair_by_pair():
    torch.manual_seed(0)
    tokens = torch.randn(2, 5, 2, 3)
    labels = torch.tensor([[[0, 0, 1], [1, 2, 255]], [[0, 1, 255], [255, 1, 0]]])
    pulled, pushed = [], []
    for b in range(2):
        for i in range(6):
            for j in range(6):
                one, other = labels[b].flatten()[i], labels[b].flatten()[j]
                if i == j or one == 255 or other == 255:
                    continue
                t = tokens[b].flatten(1)
                cosine = F.cosine_similarity(t[:, i], t[:, j], dim=0).abs()
                (pulled if one == other else pushed).append(cosine)
    pull = 1 - torch.stack(pulled).sum() / (len(pulled) + 1)
    push = torch.stack(pushed).sum() / (len(pushed) + 1)
    said = patch_contrast(tokens, token_relations(labels))
    assert torch.isclose(said, (pull + push) / 2)


def test_patch_contrast_of_equal_and_of_ideal_tokens():
    labels = torch.zeros(1, 8, 8, dtype=torch.long)
    labels[..., 4:] = 1
    related = token_relations(labels)
    equal = patch_contrast(torch.ones(1, 4, 8, 8), related)
    assert equal == pytest.approx(0.5, abs=1e-3), "pull 0, push 1"
    ideal = F.one_hot(labels, 2).permute(0, 3, 1, 2).float()
    assert patch_contrast(ideal, related) == pytest.approx(0, abs=1e-3)


def test_view_contrast_view_by_view():
    torch.manual_seed(0)
    whole, views = torch.randn(2, 6), torch.randn(2, 4, 6)
    positive = torch.tensor([[True, False, True, False], [False, False, False, False]])
    expected = 0.0
    for b in range(2):
        q = [float(F.cosine_similarity(whole[b], v, dim=0).div(0.5).exp()) for v in views[b]]
        against = sum(value for value, p in zip(q, positive[b], strict=True) if not p)
        terms = [-math.log(v / (v + against)) for v, p in zip(q, positive[b], strict=True) if p]
        expected += (sum(terms) + math.log(1 + against)) / max(1, len(terms)) / 2
    assert view_contrast(whole, views, positive) == pytest.approx(expected, rel=1e-4)


def test_the_image_itself_is_a_positive_view():
    whole, views = torch.randn(1, 6), torch.randn(1, 3, 6)
    short = view_contrast(whole, views, torch.tensor([[False, True]]))
    assert torch.equal(short, view_contrast(whole, views, torch.tensor([[True, False, True]])))


def test_balanced_loss_pixel_by_pixel():
    torch.manual_seed(0)
    logits = torch.randn(2, 3, 2, 4)
    labels = torch.tensor([[[0, 0, 0, 1], [1, 0, 255, 255]], [[0, 0, 2, 2], [0, 0, 2, 2]]])
    tags = torch.tensor([[1.0, 0.0], [1.0, 1.0]])  # class 1 of the second image has no pixel
    log = logits[0].log_softmax(dim=0)
    counts, total = {0: 4, 1: 2}, 0.0
    for y in range(2):
        for x in range(4):
            label = int(labels[0, y, x])
            if label != 255:
                total -= float(log[label, y, x]) * (6 - counts[label]) / 7
    assert class_balanced_loss(logits, labels, tags) == pytest.approx(total / 8 / 2, rel=1e-5)


def test_losses_without_labels_are_zero_and_have_a_gradient():
    logits = torch.randn(1, 3, 4, 4, requires_grad=True)
    labels = torch.full((1, 4, 4), 255)
    loss = class_balanced_loss(logits, labels, torch.ones(1, 2)) + halves_loss(logits, labels)
    loss.backward()
    assert loss == 0
    assert (logits.grad == 0).all()


def test_each_half_counts_the_same():
    logits, labels = torch.randn(1, 3, 1, 5), torch.tensor([[[0, 0, 0, 2, 255]]])
    losses = F.cross_entropy(logits, labels, ignore_index=255, reduction="none")[0, 0]
    assert torch.isclose(halves_loss(logits, labels), (losses[:3].mean() + losses[3]) / 2)
