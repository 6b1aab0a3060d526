"""Labels that may teach, value by value."""

import math

import torch

from wsss_lib.blocks.labels.trust import known_cells, refined_labels, surest_pixels
from wsss_lib.blocks.maps.class_maps import to_labels


def rule(scores, tags, strict, generous):
    """The label of one pixel by hand: who wins a softmax against a high and a low background."""
    wins = []
    for bound in (strict, generous):
        odds = [math.exp(bound)]
        odds += [math.exp(s) if tag else 0.0 for s, tag in zip(scores, tags, strict=True)]
        wins.append(odds.index(max(odds)))
    if wins[0] > 0:
        return wins[0]
    return 0 if wins[1] == 0 else 255


def test_a_class_beats_the_high_background_and_background_wins_although_it_is_low():
    torch.manual_seed(0)
    scores, tags = torch.rand(2, 3, 6, 7), torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 0.0]])
    labels = refined_labels(scores, tags, 0.7, 0.25, lambda odds: odds)
    for b in range(2):
        for y in range(6):
            for x in range(7):
                expected = rule(scores[b, :, y, x].tolist(), tags[b].tolist(), 0.7, 0.25)
                assert labels[b, y, x] == expected
    assert set(labels.unique().tolist()) == {0, 1, 2, 255}


def test_what_is_refined_are_probabilities_of_both_backgrounds():
    """Averaging the odds over an image makes one label of it, from means of probabilities."""
    torch.manual_seed(1)
    scores, tags = torch.rand(1, 2, 4, 5), torch.ones(1, 2)
    seen = []

    def flat(odds):
        seen.append(odds)
        return odds.mean(dim=(2, 3), keepdim=True).expand_as(odds)

    labels = refined_labels(scores, tags, 0.9, 0.1, flat)
    assert len(seen) == 1
    assert torch.allclose(seen[0][:, :3].sum(dim=1), torch.ones(1, 4, 5))
    assert torch.allclose(seen[0][:, 3:].sum(dim=1), torch.ones(1, 4, 5))
    expected = []
    for bound in (0.9, 0.1):
        rows = torch.cat([torch.full((1, 1, 4, 5), bound), scores], dim=1).exp()
        expected.append(int((rows / rows.sum(dim=1, keepdim=True)).mean(dim=(0, 2, 3)).argmax()))
    assert expected[0] == 0
    assert expected[1] > 0
    assert (labels == 255).all()


def test_where_both_name_a_class_the_one_against_the_high_background_stays():
    """Refinement may part them, for a pixel's neighbours count differently in both."""
    scores, tags = torch.tensor([0.9, 0.8]).view(1, 2, 1, 1), torch.ones(1, 2)
    swapped = refined_labels(scores, tags, 0.5, 0.1, lambda odds: odds[:, [0, 1, 2, 3, 5, 4]])
    assert swapped.item() == 1


def test_the_surest_of_each_label_are_trusted_image_by_image():
    torch.manual_seed(2)
    scores = torch.rand(2, 2, 6, 7) * torch.tensor([1.0, 0.8]).view(1, 2, 1, 1)
    scores[1] *= 0.7
    labels = to_labels(scores, 0.3)
    labels[0, 0, :3] = 255
    trusted = surest_pixels(scores, labels, 0.3, share=0.4)
    for b in range(2):
        for kind in (0, 1, 2):
            margins = []
            for y, x in (labels[b] == kind).nonzero().tolist():
                first, second = sorted([0.3, *scores[b, :, y, x].tolist()], reverse=True)[:2]
                margins.append((first - second, bool(trusted[b, y, x])))
            ranked = [sure for _, sure in sorted(margins, reverse=True)]
            count = int(0.4 * len(ranked))
            assert count > 0
            assert ranked == [True] * count + [False] * (len(ranked) - count)
    assert not trusted[labels == 255].any()


def test_pixels_as_sure_as_the_last_one_are_trusted_and_a_share_of_one_trusts_all():
    scores = torch.zeros(1, 1, 2, 4)
    scores[0, 0, 0] = torch.tensor([0.9, 0.8, 0.8, 0.5])
    labels = to_labels(scores, 0.3)
    assert surest_pixels(scores, labels, 0.3).tolist() == [[[1, 1, 1, 0], [1, 1, 1, 1]]]
    assert surest_pixels(scores, labels, 0.3, share=1.0).all()
    assert surest_pixels(scores, labels, 0.3, share=0.2).sum() == 0, "less than a pixel"


def test_a_cell_has_the_class_that_was_drawn_in_it_or_a_sure_one():
    """Cells of two by three pixels: drawn in, drawn in twice, sure, unsure, and drawn on ground."""
    scores, drawn = torch.full((1, 3, 4, 9), 0.3), torch.full((1, 4, 9), 255)
    scores[0, 0] = 0.4
    scores[0, :, :2, 6:] = torch.tensor([0.05, 0.9, 0.05]).view(3, 1, 1)
    scores[0, :, 2:, :3] = torch.tensor([0.1, 0.1, 0.8]).view(3, 1, 1)
    scores[0, :, 2:, 3:6] = scores[0, :, :2, 6:]
    drawn[0, 1, 2] = 2
    drawn[0, 0, 3], drawn[0, 1, 5] = 1, 2
    drawn[0, 3, 4] = 0
    known = known_cells(scores, drawn, (2, 3), 0.8)
    assert known.tolist() == [[[2, 2, 1], [255, 0, 255]]]
    scores[0, :, 0, 6:] = 1 / 3  # half of a sure cell is unsure
    assert known_cells(scores, drawn, (2, 3), 0.8)[0, 0, 2] == 255
