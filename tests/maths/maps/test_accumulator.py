"""What enters a memory of class maps, what stays, and what comes out."""

import pytest
import torch

from wsss_lib.blocks.maps.accumulator import Accumulator, latest, trusted

BOTH = torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]])


@pytest.mark.parametrize(
    ("logits", "tags", "believed"),
    [
        ([3.0, 1.0, 2.0], [1, 0, 0], [1, 0, 0]),
        ([1.0, 3.0, 2.0], [1, 0, 0], [0, 0, 0]),
        ([1.0, 3.0, 2.0], [1, 1, 0], [0, 1, 0]),
        ([-5.0, -3.0, -4.0], [0, 1, 1], [0, 1, 1]),
        ([2.0, 2.0, 1.0], [1, 0, 0], [1, 0, 0]),
        ([0.0, 0.0, 0.0], [0, 0, 0], [0, 0, 0]),
    ],
)
def test_trusted_are_present_classes_among_as_many_best(logits, tags, believed):
    found = trusted(torch.tensor([logits]), torch.tensor([tags]).float())
    assert found.tolist() == [believed]


def test_the_memory_is_the_running_maximum_bit_by_bit():
    """The released rule typed out: rectify, divide by the maximum, keep the larger."""
    torch.manual_seed(0)
    memory, slow = (
        Accumulator(),
        {"a": torch.zeros(3, 4, 5).half(), "b": torch.zeros(3, 4, 5).half()},
    )
    refused = 0
    for _ in range(8):
        maps = torch.randn(2, 3, 4, 5)
        memory.remember(("a", "b"), maps, BOTH)
        for b, id in enumerate("ab"):
            logits = maps[b].mean(dim=(1, 2))
            best = logits.argsort(descending=True)[:2].tolist()
            for c in range(3):
                if not (BOTH[b, c] and c in best):
                    refused += int(BOTH[b, c])
                    continue
                seen = maps[b, c].clamp(min=0)
                slow[id][c] = torch.maximum(slow[id][c], (seen / seen.max()).half())
            assert torch.equal(memory.maps[id], slow[id])
            assert memory.maps[id].dtype == torch.float16
    assert refused > 0, "some maps must have been doubtful"


def test_it_never_forgets_and_never_exceeds_one():
    torch.manual_seed(0)
    memory, before = Accumulator(), torch.zeros(3, 4, 5)
    for _ in range(5):
        memory.remember(("a",), torch.rand(1, 3, 4, 5), torch.ones(1, 3))
        assert (memory.maps["a"] >= before).all()
        before = memory.maps["a"].clone()
    assert before.max() == 1


def test_the_latest_is_the_last_trusted_map_even_an_empty_one():
    memory = Accumulator(latest)
    bright, other = torch.rand(1, 3, 2, 2) + 0.1, torch.rand(1, 3, 2, 2) + 0.1
    tags = torch.tensor([[1.0, 0.0, 0.0]])
    memory.remember(("a",), bright * torch.tensor([9.0, 1, 1]).view(3, 1, 1), tags)
    kept = memory.maps["a"].clone()
    assert torch.equal(kept[0], (bright[0, 0] / bright[0, 0].max()).half())
    memory.remember(("a",), other * torch.tensor([0.1, 1, 1]).view(3, 1, 1), tags)
    assert torch.equal(memory.maps["a"], kept), "class 0 did not win: doubtful"
    memory.remember(("a",), other * torch.tensor([9.0, 1, 1]).view(3, 1, 1), tags)
    assert torch.equal(memory.maps["a"][0], (other[0, 0] / other[0, 0].max()).half())
    memory.remember(("a",), -torch.ones(1, 3, 2, 2), tags)
    assert not memory.maps["a"].any(), "trusted, and pointing nowhere"


def test_what_is_recalled_is_resized_class_by_class():
    memory = Accumulator()
    kept = torch.zeros(2, 1, 2)
    kept[1] = torch.tensor([[0.25, 0.75]])
    memory.restore({"a": kept.half()})
    otherwise = torch.rand(2, 2, 1, 4)
    said = memory.recall(("a", "b"), otherwise)
    assert torch.equal(said[1], otherwise[1]), "nothing is known of b"
    assert torch.equal(said[0, 0], otherwise[0, 0]), "nothing is known of the first class"
    # Centres of the four pixels lie at -1/4, 1/4, 3/4 and 5/4 of the way from one to the other.
    assert torch.allclose(said[0, 1], torch.tensor([[0.25, 0.375, 0.625, 0.75]]))
    said.zero_()
    assert otherwise.any(), "what was given is not edited"


def test_what_is_put_back_is_a_memory_of_its_own():
    one, other = Accumulator(), Accumulator()
    one.remember(("a",), torch.rand(1, 2, 3, 3), torch.ones(1, 2))
    other.restore(one.maps)
    other.remember(("b",), torch.rand(1, 2, 3, 3), torch.ones(1, 2))
    assert list(one.maps) == ["a"]
    assert list(other.maps) == ["a", "b"]
