"""Labels that may teach, value by value."""

import math

import torch

from wsss_lib.blocks.labels.trust import refined_labels


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
