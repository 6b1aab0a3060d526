"""Labels of two looks, pixel by pixel."""

import torch

from wsss_lib.blocks.labels.erased import labels_of_two_looks

HOT, FOUND, COLD = 0.5, 0.3, 0.05
TAGS = torch.tensor([[1.0, 1.0]])


def row(*values):
    """(C, w) scores of one row of pixels -> (1, C, 1, w)."""
    return torch.tensor(values)[None, :, None]


def labels(whole, erased, tags=TAGS):
    return labels_of_two_looks(whole, erased, tags, HOT, FOUND, COLD)[:, 0].tolist()


def test_what_was_erased_keeps_its_class_whatever_the_second_look_says():
    whole = row([0.9, 0.6, 0.1], [0.0, 0.0, 0.0])
    erased = row([0.0, 0.0, 0.0], [1.0, 1.0, 0.0])
    assert labels(whole, erased) == [[1, 1, 255]]


def test_what_is_found_counts_where_a_path_leads_to_what_was_erased_for_its_class():
    whole = row([0.9, 0.2, 0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0, 0.9])
    erased = row([0.0, 0.4, 0.9, 0.0, 0.9, 0.0], [0.0, 0.0, 0.0, 0.0, 0.2, 0.0])
    # The fifth pixel is found for class 1, whose own lie on the other side of a gap.
    assert labels(whole, erased) == [[1, 1, 1, 0, 255, 2]]


def test_the_strongest_class_of_the_second_look_is_the_one_that_finds():
    whole = row([0.9, 0.0, 0.0], [0.0, 0.0, 0.9])
    erased = row([0.0, 0.4, 0.0], [0.0, 0.5, 0.0])
    assert labels(whole, erased) == [[1, 2, 2]]


def test_background_is_what_stays_cold_at_both_looks():
    whole = row([0.9, 0.0, 0.2, 0.05], [0.0, 0.0, 0.0, 0.0])
    erased = row([0.0, 0.1, 0.0, 0.05], [0.0, 0.0, 0.0, 0.0])
    assert labels(whole, erased) == [[1, 255, 255, 0]]


def test_borders_are_exceeded_not_reached():
    whole = row([0.51, 0.5, 0.0], [0.0, 0.0, 0.0])
    assert labels(whole, row([0.0, 0.3, 0.0], [0.0, 0.0, 0.0])) == [[1, 255, 0]]
    assert labels(whole, row([0.0, 0.31, 0.0], [0.0, 0.0, 0.0])) == [[1, 1, 0]]


def test_nothing_erased_anywhere_leaves_the_background():
    nothing = torch.zeros(2, 2, 2, 3)
    told = labels_of_two_looks(nothing, nothing, torch.zeros(2, 2), HOT, FOUND, COLD)
    assert not told.any()


def test_images_do_not_label_each_other():
    whole = torch.cat([row([0.9, 0.0], [0.0, 0.0]), row([0.0, 0.0], [0.0, 0.0])])
    erased = torch.cat([row([0.0, 0.0], [0.0, 0.0]), row([0.9, 0.0], [0.0, 0.0])])
    tags = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    assert labels(whole, erased, tags) == [[1, 0], [255, 0]]
