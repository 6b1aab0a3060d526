"""Xu et al. 2023, MMCST: words say of two classes that always come together which one is which."""

import pytest
import torch
from torch import nn

from tests.loops import added_maps, divided_by_their_maximum, soft_margin
from wsss_lib.core import Batch
from wsss_lib.methods.foundation.mmcst import MMCST
from wsss_lib.nets.backbones.vit import ViT
from wsss_lib.nets.large.clip import load_clip

COLOURS = torch.tensor([[0.9, 0.1, 0.1], [0.1, 0.2, 0.9], [0.9, 0.5, 0.1], [0.1, 0.6, 0.9]])
RELATED = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0.8, 0, 0.6], [0, 0.8, 0.6]])
"""Sentences of red, blue, orange and azure: orange is a kind of red, azure a kind of blue."""


class Sentences(nn.Module):
    """A CLIP that knows some sentences, and sees the mean colour of an image if it sees at all."""

    size = 48

    def __init__(self, text, blind=True):
        super().__init__()
        self.text, self.blind = text, blind
        self.weight = nn.Parameter(torch.ones(()), requires_grad=False)

    def text_features(self, prompts):
        return self.text[: len(prompts)]

    def image_features(self, image):
        assert image.shape[-2:] == (48, 48), "CLIP sees images at its own size"
        seen = torch.ones(len(image), self.text.shape[1])
        if not self.blind:
            seen = image.mean(dim=(2, 3)).repeat(1, 2)[:, : self.text.shape[1]]
        return self.weight * seen / seen.norm(dim=1, keepdim=True)


def pictures(count=16, seed=0):
    """Blocks of 2 x 2 patches on grey: red and blue by chance, orange and azure always together."""
    draw = torch.Generator().manual_seed(seed)
    image = 0.5 + 0.05 * torch.randn(count, 3, 48, 48, generator=draw)
    masks = torch.zeros(count, 4, 6, 6)
    chance = torch.rand(count, 3, generator=draw)
    tags = (chance[:, [0, 1, 2, 2]] < torch.tensor([0.5, 0.5, 0.4, 0.4])).float()
    for k, c in tags.nonzero().tolist():
        y = x = 0
        while not y or masks[k, :, y : y + 2, x : x + 2].any():
            y, x = (int(torch.randint(0, 5, (), generator=draw)) for _ in range(2))
        masks[k, c, y : y + 2, x : x + 2] = 1
        block = image[k, :, 8 * y : 8 * y + 16, 8 * x : 8 * x + 16]
        block += (COLOURS[c] - 0.5).view(3, 1, 1)
    return Batch(tuple(map(str, range(count))), image, tags), masks


def make(text=RELATED, blind=True, **settings):
    torch.manual_seed(0)
    net, clip = ViT(32, layers=2, heads=2, patch=8, grid=8), Sentences(text, blind)
    return MMCST(net, clip, ["a", "b", "c", "d"][: len(text)], **{"last": 2, **settings})


@pytest.fixture(scope="module")
def shares():
    """Of the maps of orange and azure, the shares on their own object and on the other, by kind."""
    net = make()
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    for step in range(50):
        optimizer.zero_grad()
        sum(net.loss(pictures(12, seed=step + 1)[0]).values()).backward()
        optimizer.step()
    batch, masks = pictures(64)
    pairs = batch.tags[:, 2] > 0
    with torch.no_grad():
        _, attention, maps = net.eval().look(batch.image[pairs])
    maps = (maps.relu() * attention)[:, :, 2:]
    maps = maps / maps.sum(dim=(3, 4), keepdim=True).clamp(min=1e-8)
    own, other = masks[pairs, None, 2:], masks[pairs, None, 2:].flip(2)
    return [(maps * mask).sum(dim=(3, 4)).mean(dim=(0, 2)).tolist() for mask in (own, other)]


def test_words_tell_apart_what_tags_cannot(shares):
    """Orange and azure are never seen alone; but orange is a kind of red, and azure of blue."""
    (_, own), (_, other) = shares
    assert own > 0.4
    assert own > 5 * other


def test_tokens_without_words_do_not_know_which_is_which(shares):
    """The same training and the same tags: both visual maps lie on the same object."""
    (own, _), (other, _) = shares
    assert own > 0.2
    assert abs(own - other) < 0.1


class Fixed(nn.Module):
    """What comes out of a transformer, given; remembers what went in."""

    def __init__(self, tokens, patches, attention):
        super().__init__()
        self.out, self.tokens, self.more = (tokens, patches, attention), None, None

    def forward(self, image, more):
        self.more = more
        return self.out


def fixed(blind=False):
    """Two images, three classes, and a transformer of which all is known: 2 x 3 patches."""
    net = make(RELATED[:3], blind=blind)
    tokens = torch.randn(2, 6, 32)
    patches = torch.randn(2, 32, 2, 3).requires_grad_()
    attention = torch.randn(4, 2, 12, 12).softmax(dim=-1).requires_grad_()
    start = net.transformer.tokens
    net.transformer = Fixed(tokens, patches, attention)
    net.transformer.tokens = nn.Parameter(torch.randn_like(start))
    return net, torch.rand(2, 3, 48, 48)


def expected(net):
    """Attention, maps and classifiers of ``fixed``, class by class and patch by patch."""
    _, patches, attention = net.transformer.out
    maps, classifiers = torch.zeros(2, 2, 3, 6), {}
    flat = patches.detach().flatten(2)
    looks = torch.zeros(2, 2, 3, 6)
    for b in range(2):
        for kind in range(2):
            for c in range(3):
                row = 3 * kind + c
                seen = [sum(attention[n, b, row, 6 + p] for n in (2, 3)) / 2 for p in range(6)]
                look = [value / sum(seen) for value in seen]
                context = sum(a * flat[b, :, p] for p, a in enumerate(look))
                if kind:
                    text = RELATED[c] * 3**0.5
                    start = net.text_tokens.words.weight @ text + net.text_tokens.words.bias
                else:
                    start = net.transformer.tokens[c]
                classifier = start + context / 32**0.5
                classifiers[b, kind, c] = classifier
                for p in range(6):
                    looks[b, kind, c, p] = look[p]
                    maps[b, kind, c, p] = classifier @ flat[b, :, p] / 32**0.5
    return looks, maps, classifiers


def test_classifiers_are_tokens_enriched_by_what_they_look_at():
    net, image = fixed()
    tokens, attention, maps = net.look(image)
    looks, wanted, _ = expected(net)
    assert tokens is net.transformer.out[0]
    torch.testing.assert_close(attention.flatten(3), looks)
    torch.testing.assert_close(maps.flatten(3), wanted, atol=1e-5, rtol=1e-4)


def test_sentences_enter_with_how_well_the_image_fits_them():
    net, image = fixed()
    net.look(image)
    seen = net.text_tokens.clip.image_features(image)
    for b in range(2):
        for c in range(3):
            product = torch.stack([3 * seen[b, e] * RELATED[c, e] for e in range(3)])
            assert torch.isclose(product.mean(), seen[b] @ RELATED[c])
            start = (
                net.text_tokens.words.weight @ (RELATED[c] * 3**0.5) + net.text_tokens.words.bias
            )
            torch.testing.assert_close(
                net.transformer.more[b, c], start + net.text_tokens.fit.weight @ product
            )
    assert not torch.allclose(net.transformer.more[0], net.transformer.more[1])


def test_terms_equal_the_equations():
    net, image = fixed()
    tags = torch.tensor([[1.0, 1, 0], [0, 1, 1]])
    terms = net.loss(Batch(("a", "b"), image, tags))
    _, maps, _ = expected(net)
    tokens = net.transformer.out[0].mean(dim=2)
    both = soft_margin(tokens[:, :3], tags), soft_margin(tokens[:, 3:], tags)
    wanted = {
        "tokens": sum(both) / 2,
        "visual": soft_margin(maps[:, 0].mean(dim=2), tags),
        "textual": soft_margin(maps[:, 1].mean(dim=2), tags),
    }
    assert set(terms) == set(wanted)
    for name, value in wanted.items():
        torch.testing.assert_close(terms[name], value, atol=1e-5, rtol=1e-4)


def test_no_gradient_passes_through_what_a_token_looks_at():
    """A context that may learn answers for the image as a whole; the patches must do that."""
    net, image = fixed()
    _, patches, attention = net.transformer.out
    maps = net.look(image)[2]
    slopes = torch.autograd.grad(maps[1, 1, 2, 0, 1], (patches, attention), allow_unused=True)
    assert slopes[1] is None
    _, _, classifiers = expected(net)
    wanted = torch.zeros_like(slopes[0])
    wanted[1, :, 0, 1] = classifiers[1, 1, 2] / 32**0.5
    torch.testing.assert_close(slopes[0], wanted, atol=1e-5, rtol=1e-4)


def test_the_read_out_is_attention_times_maps_of_both_kinds():
    """Two sizes and the mirror image; two images with two classes each."""
    image, tags = torch.rand(2, 3, 48, 64), torch.tensor([[1.0, 1, 0], [0, 1, 1]])
    net = make(RELATED[:3], scales=(1.0, 1.5)).eval()

    def both(x):
        with torch.no_grad():
            _, attention, maps = net.look(x)
        kinds = [maps[:, kind].clamp(min=0) * attention[:, kind] for kind in range(2)]
        return (kinds[0] + kinds[1]) / 2

    said = net.predict(Batch(("a", "b"), image, tags)).detach()
    for b in range(2):
        total = added_maps(both, image[b], [(48, 64), (72, 96)])
        wanted = divided_by_their_maximum(total, tags[b])
        torch.testing.assert_close(said[b], wanted, atol=1e-5, rtol=1e-4)
    assert make().scales == (1.0,), "the paper's"


def test_another_order_of_classes_permutes_the_maps():
    """Each sentence belongs to the class of its place."""
    image, order = torch.rand(2, 3, 48, 48), [2, 0, 1]
    net, other = make(RELATED[:3], blind=False).eval(), make(RELATED[order], blind=False).eval()
    with torch.no_grad():
        other.transformer.tokens.copy_(net.transformer.tokens[order])
        before, after = net.class_maps(image), other.class_maps(image)
        torch.testing.assert_close(after, before[:, order], atol=1e-6, rtol=1e-4)
        assert not torch.allclose(after, before, atol=1e-4)


def test_clip_never_learns():
    net = MMCST(
        ViT(32, layers=2, heads=2, patch=8, grid=8), load_clip(), ["a cat", "a bus", "sand"]
    )
    batch = Batch(("a",), torch.rand(1, 3, 64, 64), torch.tensor([[1.0, 1, 0]]))
    sum(net.loss(batch).values()).backward()
    assert net.text_tokens.words.weight.grad.any()
    assert net.text_tokens.fit.weight.grad.any()
    assert all(weight.grad is None for weight in net.text_tokens.clip.parameters())
