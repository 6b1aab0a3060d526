"""Sub-categories of classes, found by clustering."""

import pytest
import torch

from wsss_lib.blocks.labels.subclasses import (
    ABSENT,
    Subclasses,
    find_subclasses,
    subclass_tags,
)
from wsss_lib.core import InputError

TAGS = torch.tensor([[1, 0, 1], [1, 1, 0], [0, 0, 0], [1, 0, 1], [1, 1, 1]]).float()


def bundles():
    """Images that differ much in their first feature, and less in their second."""
    return torch.tensor([[0.0, 9.0], [80.0, 9.0], [40.0, 4.0], [5.0, 0.0], [85.0, 0.2]])


def test_a_present_class_has_one_number_and_an_absent_one_has_none():
    found = find_subclasses(bundles(), TAGS, 2)
    assert torch.equal(found != ABSENT, TAGS > 0)
    assert found[TAGS > 0].unique().tolist() == [0, 1]


def test_images_are_clustered_among_those_of_their_class_alone():
    """The second and the last are of one kind among four images, and of two among two."""
    found = find_subclasses(bundles(), TAGS, 2)
    first = found[:, 0]
    assert first[0] == first[3] != first[1]
    assert first[1] == first[4]
    assert found[1, 1] != found[4, 1]


def test_more_sub_categories_than_images_leave_some_empty():
    found = find_subclasses(bundles(), TAGS, 7)
    for c in range(3):
        own = found[:, c][TAGS[:, c] > 0]
        assert sorted(own.tolist()) == [*range(len(own))]


def test_of_one_kind_sub_categories_are_the_tags():
    assert torch.equal(subclass_tags(find_subclasses(bundles(), TAGS, 1), 1), TAGS)


def test_one_in_k_stands_at_its_place():
    tags = subclass_tags(torch.tensor([[2, ABSENT], [0, 1]]), 3)
    assert tags.tolist() == [[0, 0, 1, 0, 0, 0], [1, 0, 0, 0, 1, 0]]
    found = subclass_tags(find_subclasses(bundles(), TAGS, 4), 4)
    assert torch.equal(found.view(5, 3, 4).sum(dim=2), TAGS)


def test_a_class_that_no_image_shows_has_no_sub_category():
    tags = TAGS.clone()
    tags[:, 1] = 0
    assert (find_subclasses(bundles(), tags, 2)[:, 1] == ABSENT).all()


def test_what_is_not_known_is_absent_and_said_to_be_unknown():
    memory = Subclasses()
    memory.found = {"b": torch.tensor([1, 0])}
    found, known = memory.recall(("a", "b"), torch.zeros(2, 2))
    assert found.tolist() == [[ABSENT, ABSENT], [1, 0]]
    assert known.tolist() == [False, True]


def test_images_are_divided_by_what_was_last_seen_of_them():
    memory, everyone = Subclasses(), tuple("abcde")
    assert not memory.begin(1, 2), "nothing was seen yet"
    memory.remember(tuple("abc"), torch.zeros(3, 2), TAGS[:3])
    features = bundles().requires_grad_()
    memory.remember(tuple("abcde"), features, TAGS)
    assert not any(feature.requires_grad for feature, _ in memory.seen.values())
    assert not memory.begin(0, 2), "the first round goes on"
    assert not memory.recall(everyone, TAGS)[1].any()
    assert memory.begin(1, 2)
    found, known = memory.recall(everyone, TAGS)
    assert known.all()
    assert torch.equal(found, find_subclasses(bundles(), TAGS, 2, seed=1))
    memory.remember(everyone, bundles().flip(0), TAGS)
    assert not memory.begin(1, 2), "within a round they stay"
    assert torch.equal(memory.recall(everyone, TAGS)[0], found)
    assert memory.begin(2, 2)
    wanted = find_subclasses(bundles().flip(0), TAGS, 2, seed=2)
    assert torch.equal(memory.recall(everyone, TAGS)[0], wanted)


def test_a_checkpoint_carries_all_of_it():
    memory, other, everyone = Subclasses(), Subclasses(), tuple("abcde")
    memory.remember(everyone, bundles(), TAGS)
    memory.begin(1, 2)
    other.restore(memory.state())
    assert torch.equal(other.recall(everyone, TAGS)[0], memory.recall(everyone, TAGS)[0])
    assert not other.begin(1, 2)
    assert other.begin(2, 2)


def test_features_of_other_images_are_refused():
    with pytest.raises(InputError, match="one feature of each image"):
        find_subclasses(bundles()[:3], TAGS, 2)
