"""A class's features of all images of a group as one sequence, compared by self-attention."""

import math

import pytest
import torch
import torch.nn.functional as F

from tests.tiny import noise
from wsss_lib.core import InputError
from wsss_lib.nets.heads.collaboration import CollaborativeAttention, sinusoids


def make(group=2, **settings):
    torch.manual_seed(0)
    how = {"width": 4, "heads": 2, **settings}
    return CollaborativeAttention(3, 2, group, **how).eval()


def seen(images=4):
    """Features and masks of so many images of 2 x 3 places."""
    return noise(images, 3, 2, 3), noise(images, 2, 2, 3, seed=2)


def normed(x, layer):
    """Layer normalisation of one token."""
    mean = sum(x) / len(x)
    spread = sum((one - mean) ** 2 for one in x) / len(x)
    return (x - mean) / (spread + layer.eps).sqrt() * layer.weight + layer.bias


def block_by_hand(tokens, block, heads):
    """(n, d) tokens through attention and the two layers behind it, head by head."""
    d = tokens.shape[1]
    each, attention = d // heads, block.self_attn
    inside = torch.stack([normed(x, block.norm1) for x in tokens])
    parts = (inside @ attention.in_proj_weight.T + attention.in_proj_bias).split(d, dim=1)
    answers = torch.zeros_like(tokens)
    for head in range(heads):
        own = slice(head * each, (head + 1) * each)
        query, key, value = (part[:, own] for part in parts)
        for i in range(len(tokens)):
            powers = [math.exp(float(query[i] @ key[j]) / each**0.5) for j in range(len(tokens))]
            answers[i, own] = sum(p / sum(powers) * value[j] for j, p in enumerate(powers))
    out = attention.out_proj
    tokens = tokens + answers @ out.weight.T + out.bias
    inside = torch.stack([normed(x, block.norm2) for x in tokens])
    hidden = F.gelu(inside @ block.linear1.weight.T + block.linear1.bias)
    return tokens + hidden @ block.linear2.weight.T + block.linear2.bias


def test_logits_value_by_value():
    net, (features, masks) = make(), seen()
    with torch.no_grad():
        said = net(features, masks)
        weights = net.reduce.weight[:, :, 0, 0]
        for group in range(2):
            for c in range(2):
                tokens = []
                for member in range(2):
                    b = 2 * group + member
                    for place in range(6):
                        y, x = divmod(place, 3)
                        token = (weights @ features[b, :, y, x]) * masks[b, c, y, x]
                        token = token + net.member.weight[member]
                        angles = [place, place / 100]
                        code = [f(a) for a in angles for f in (math.sin, math.cos)]
                        tokens.append(token + torch.tensor(code))
                together = block_by_hand(torch.stack(tokens), net.blocks[c], heads=2)
                for member in range(2):
                    mean = together[6 * member : 6 * member + 6].mean(dim=0)
                    wanted = float(mean @ net.read.weight[c])
                    assert said[2 * group + member, c] == pytest.approx(wanted, abs=1e-4)


def test_codes_of_places_are_sines_and_cosines():
    codes = sinusoids(5, 6)
    for n in range(5):
        for i in range(3):
            angle = n / 10_000 ** (2 * i / 6)
            assert codes[n, 2 * i] == pytest.approx(math.sin(angle), abs=1e-5)
            assert codes[n, 2 * i + 1] == pytest.approx(math.cos(angle), abs=1e-5)


def test_images_of_a_group_see_each_other_and_no_others():
    net, (features, masks) = make(), seen()
    changed = features.clone()
    changed[0] += 1
    with torch.no_grad():
        difference = (net(changed, masks) - net(features, masks)).abs()
    assert difference[1].min() > 1e-4, "its neighbour in the group"
    assert difference[2:].max() < 1e-6, "the other group"


def test_members_of_a_group_change_places():
    net, (features, masks) = make(), seen(2)
    with torch.no_grad():
        net.member.weight[1] = net.member.weight[0]
        straight, crossed = net(features, masks), net(features.flip(0), masks.flip(0))
        torch.testing.assert_close(crossed, straight.flip(0))
        net.member.weight[1] += 1
        assert (net(features.flip(0), masks.flip(0)) - straight.flip(0)).abs().max() > 1e-3


def test_copies_of_an_image_say_what_it_says_alone():
    """Every key comes twice, each with half the weight: the sum is the same."""
    pair, alone, (features, masks) = make(), make(group=1), seen(1)
    with torch.no_grad():
        pair.member.weight[1] = pair.member.weight[0]
        alone.load_state_dict({**pair.state_dict(), "member.weight": pair.member.weight[:1]})
        twice = pair(features.expand(2, -1, -1, -1), masks.expand(2, -1, -1, -1))
        torch.testing.assert_close(twice, alone(features, masks).expand(2, -1))


def test_what_a_mask_hides_has_no_say():
    net, (features, masks) = make(), seen(2)
    masks[0, 1] = 0
    changed = features.clone()
    changed[0] += 1
    with torch.no_grad():
        difference = (net(changed, masks) - net(features, masks)).abs()
    assert difference[:, 1].max() < 1e-6
    assert difference[:, 0].min() > 1e-4


def test_pooled_tokens_are_means_of_squares():
    net = make(pool=2)
    features, mask = torch.randn(2, 4, 4, 3), torch.rand(2, 1, 4, 3)
    tokens = net.tokens(features, mask).view(2, 4, 4)
    whole = features * mask
    for b in range(2):
        squares = [whole[b, :, y : y + 2, x : x + 2] for y in (0, 2) for x in (0, 2)]
        for place, square in enumerate(squares):
            wanted = square.mean(dim=(1, 2)) + net.member.weight[b] + sinusoids(4, 4)[place]
            torch.testing.assert_close(tokens[b, place], wanted)


def test_half_a_group_is_refused():
    with pytest.raises(InputError, match="3 images are no groups of 2"):
        make()(*seen(3))
