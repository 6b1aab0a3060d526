"""A memory of regions: who may write, what stays, when its clusters change, and who asks for it."""

import copy

import torch

from wsss_lib.blocks.maps.prototypes import k_means
from wsss_lib.nets.heads.memory import Aggregation, RegionHeads, RegionMemory, SegmentMemory


def regions(*values):
    """(B, C, 2): a vector for each image and class, its values all alike."""
    return torch.tensor(values, dtype=torch.float)[..., None].expand(-1, -1, 2)


def test_first_regions_fill_and_later_ones_move():
    memory = RegionMemory(2, 2, slots=2, clusters=1, momentum=0.75)
    every = torch.ones(1, 2)
    assert not memory.known.any()
    for step, expected in enumerate(([1, 0], [1, 2], [1.5, 2], [1.5, 2.5]), start=1):
        memory.write(regions([step, 10 * step]), every)
        assert memory.slots[0, :, 0].tolist() == expected
        assert memory.slots[1, :, 0].tolist() == [10 * value for value in expected]
        assert memory.visits.tolist() == [step, step]
        assert memory.known.sum() == 2 * min(step, 2)


def test_only_what_is_accepted_changes_and_images_of_a_batch_take_turns():
    memory = RegionMemory(3, 2, slots=4, clusters=1)
    memory.write(regions([1, 2, 3], [4, 5, 6], [7, 8, 9]), torch.tensor([[1, 0, 0]] * 3))
    assert memory.slots[0, :, 0].tolist() == [1, 4, 7, 0]
    assert memory.known.tolist() == [[True, True, True, False], [False] * 4, [False] * 4]
    assert not memory.slots[1:].any()
    memory.write(regions([1, 2, 3], [4, 5, 6]), torch.tensor([[0, 0, 1], [0, 1, 0]]))
    assert memory.visits.tolist() == [3, 1, 1]
    assert memory.slots[1, 0, 0] == 5
    assert memory.slots[2, 0, 0] == 3


def test_centres_are_those_of_each_class_and_change_only_when_asked():
    memory = RegionMemory(3, 4, slots=12, clusters=2)
    torch.manual_seed(0)
    for _ in range(8):
        memory.write(torch.randn(1, 3, 4), torch.tensor([[1, 0, 0]]))
    memory.write(torch.randn(1, 3, 4), torch.tensor([[0, 0, 1]]))
    assert not memory.centres.any()
    memory.cluster()
    assert memory.centres.shape == (3, 2, 4)
    assert torch.equal(memory.centres[0], k_means(memory.slots[0, :8], 2)[0])
    assert not memory.centres[1].any()
    assert torch.equal(memory.centres[2, 0], memory.slots[2, 0])
    assert not memory.centres[2, 1].any(), "one region gives one centre"
    before = memory.centres.clone()
    torch.manual_seed(9)
    memory.cluster()
    assert torch.equal(memory.centres, before), "no chance is in it"


def test_a_checkpoint_carries_all_of_it():
    memory = RegionMemory(2, 2, slots=3, clusters=2, momentum=0.5)
    memory.write(regions([1, 2], [3, 4]), torch.ones(2, 2))
    memory.cluster()
    other = RegionMemory(2, 2, slots=3, clusters=2, momentum=0.5)
    other.load_state_dict(copy.deepcopy(memory.state_dict()))
    for one in (memory, other):
        one.write(regions([5, 6], [7, 8]), torch.ones(2, 2))
        one.cluster()
    for name, value in memory.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]), name
    assert not [*memory.parameters()]


def test_what_is_taken_is_the_mean_over_all_centres_weighed_by_likeness():
    torch.manual_seed(0)
    net = Aggregation(3, 2)
    with torch.no_grad():
        for weight in net.parameters():
            weight.normal_()
    features, centres = torch.randn(2, 3, 4, 5), torch.randn(2, 3, 3)
    with torch.no_grad():
        said = net(features, centres)
    assert said.shape == features.shape
    flat = centres.view(6, 3)
    query, back = (layer.weight[:, :, 0, 0].detach() for layer in (net.query, net.back))
    key, value, mix = net.key.weight.detach(), net.value.weight.detach(), net.mix.weight.detach()
    for b in range(2):
        for y in range(4):
            for x in range(5):
                f, taken = features[b, :, y, x], torch.zeros(2)
                for m in flat:
                    q, k = query @ f, key @ m
                    taken += float(q @ k / (q.norm() * k.norm())) / 6 * (value @ m)
                wanted = mix[:, :, 0, 0] @ torch.cat([f, back @ taken])
                torch.testing.assert_close(said[b, :, y, x], wanted, rtol=1e-4, atol=1e-4)


def test_an_empty_memory_adds_nothing():
    net, features = Aggregation(3, 2), torch.randn(1, 3, 4, 4)
    alone = torch.einsum("ed,bdhw->behw", net.mix.weight[:, :3, 0, 0], features)
    torch.testing.assert_close(net(features, torch.zeros(2, 3, 3)), alone)
    with torch.no_grad():
        net.value.weight.zero_()
    torch.testing.assert_close(net(features, torch.randn(2, 3, 3)), alone)


def test_the_heads_answer_at_the_size_of_the_features():
    heads = RegionHeads(6, 4, slots=5, clusters=2, width=3, convs=1).eval()
    features = torch.randn(2, 6, 5, 7)
    assert heads(features).shape == heads.coarse(features).shape == (2, 4, 5, 7)
    assert heads.embed(features).shape == features.shape
    assert "momentum=0.99" in repr(heads)


def test_the_last_segments_are_remembered_the_newest_first():
    memory = SegmentMemory(2, 3, room=4)
    none = memory.joined(torch.ones(1, 3), torch.tensor([7]), torch.zeros(1, 2))
    assert [len(one) for one in none] == [1, 1, 1]
    for turn in (1, 2):
        value = torch.full((3, 3), float(turn), requires_grad=True)
        memory.write(value, torch.tensor([turn, 255, 0]), torch.full((3, 2), float(turn)))
        assert int(memory.count) == (3, 4)[turn - 1]
    prototypes, labels, tags = memory.joined(
        torch.zeros(1, 3), torch.tensor([9]), torch.zeros(1, 2)
    )
    assert labels.tolist() == [9, 2, 255, 0, 1]
    assert prototypes[:, 0].tolist() == tags[:, 1].tolist() == [0, 2, 2, 2, 1]
    assert not prototypes.requires_grad
    other = SegmentMemory(2, 3, room=4)
    other.load_state_dict(memory.state_dict())
    assert torch.equal(other.labels, memory.labels)
    assert "room=4" in repr(other)
