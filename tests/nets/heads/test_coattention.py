"""Networks between images, against their equations."""

import torch

from tests.tiny import noise
from wsss_lib.blocks.affinity.coattention import co_attend
from wsss_lib.nets.heads.coattention import CoAttention, ConvGRU, GroupGraph, PairHead


def test_both_images_look_along_one_matrix():
    torch.manual_seed(0)
    net, one, other = CoAttention(3), noise(2, 3, 2, 2), noise(2, 3, 1, 3, seed=2)
    found = net(one, other)
    matrix = net.weight.weight[:, :, 0, 0]
    for b in range(2):
        likeness = (matrix @ one[b].flatten(1)).T @ other[b].flatten(1)  # (N_1, N_2)
        first = other[b].flatten(1) @ likeness.softmax(dim=1).T
        second = one[b].flatten(1) @ likeness.softmax(dim=0)
        assert torch.allclose(found[0][b].flatten(1), first, atol=1e-6)
        assert torch.allclose(found[1][b].flatten(1), second, atol=1e-6)


def test_with_a_symmetric_matrix_swapping_the_images_swaps_the_answers():
    net, one, other = CoAttention(3), noise(2, 3, 2, 2), noise(2, 3, 1, 3, seed=2)
    with torch.no_grad():
        net.weight.weight.copy_((2 * torch.eye(3))[:, :, None, None])
    for here, there in zip(net(one, other), net(other, one)[::-1], strict=True):
        assert torch.allclose(here, there, atol=1e-6)


def test_what_is_left_is_gated_by_what_is_shared():
    torch.manual_seed(0)
    head, one, other = PairHead(3, 2, convs=0), noise(2, 3, 2, 2), noise(2, 3, 1, 3, seed=2)
    shared, left = head(one, other)
    for features, found, maps, rest in zip(
        (one, other), head.attention(one, other), shared, left, strict=True
    ):
        assert torch.allclose(maps, head.shared(found))
        gate = torch.einsum("d,bdhw->bhw", head.gate.weight[0, :, 0, 0], found).sigmoid()
        assert torch.allclose(rest, head.shared(features * (1 - gate[:, None])), atol=1e-6)


def test_a_gated_unit_keeps_its_state_or_takes_the_message():
    torch.manual_seed(0)
    cell, message, state = ConvGRU(2), noise(2, 2, 3, 3), noise(2, 2, 3, 3, seed=2)
    found, told = cell(message, state), torch.cat([message, state], dim=1)
    gates = cell.gates(told).sigmoid()
    update, reset = gates[:, :2], gates[:, 2:]
    new = cell.candidate(torch.cat([message, reset * state], dim=1)).tanh()
    assert torch.allclose(found, (1 - update) * state + update * new, atol=1e-6)
    with torch.no_grad():
        cell.gates.weight.zero_()
        cell.gates.bias.copy_(torch.tensor([-50.0, -50.0, 0, 0]))
    assert torch.allclose(cell(message, state), state)


def graph(**settings):
    torch.manual_seed(0)
    return GroupGraph(4, **settings)


def test_a_round_is_a_gated_message_of_every_other_node_in_their_order():
    net, states = graph(rounds=1).eval(), noise(2, 3, 4, 2, 3)

    def message(one, other):
        found = co_attend(net.asking(one), net.asked(other), other)
        return found * net.gate(found).sigmoid()

    a, b, c = states.unbind(dim=1)
    wanted = [
        net.cell(net.join(torch.cat([message(a, b), message(a, c)], 1)), a),
        net.cell(net.join(torch.cat([message(b, a), message(b, c)], 1)), b),
        net.cell(net.join(torch.cat([message(c, a), message(c, b)], 1)), c),
    ]
    assert torch.allclose(net(states), torch.stack(wanted, 1), atol=1e-6)


def test_all_nodes_speak_at_once_and_rounds_follow_each_other():
    one, two = graph(rounds=1).eval(), graph(rounds=2).eval()
    states = noise(2, 3, 4, 2, 3)
    assert torch.allclose(two(states), one(one(states)), atol=1e-6)


def test_groups_do_not_hear_each_other():
    net, states = graph().eval(), noise(2, 3, 4, 2, 3)
    assert torch.allclose(net(states)[:1], net(states[:1]), atol=1e-6)


def test_the_strongest_area_is_hidden_in_training_alone():
    net, states = graph(rounds=1, rate=1.0), noise(2, 3, 4, 2, 3)
    whole = net.eval()(states)
    hidden = net.train()(states)
    ratio = hidden / whole
    assert {round(value, 3) for value in ratio.flatten().tolist()} == {0.5, 1.0}
