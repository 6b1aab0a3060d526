"""Xu et al. 2022: a class token of one's own is an eye of one's own, and patches know patches."""

import pytest
import torch

from tests.loops import added_maps
from wsss_lib.blocks.affinity.class_tokens import class_attention, patch_affinity, spread
from wsss_lib.core import Batch, InputError
from wsss_lib.methods.image_level.affinity.mctformer import MCTformer
from wsss_lib.nets.backbones.toy import toy_cnn, toy_vit
from wsss_lib.nets.backbones.vit import ViT

COLOURS = torch.tensor([[0.9, 0.1, 0.1], [0.1, 0.2, 0.9]])  # of the two classes


def pictures(count=16, seed=0):
    """Grey pictures of 6 x 6 patches; each class that is present paints a block of 2 x 3 patches,
    the first one in the upper half, the second one in the lower half.
    """
    draw = torch.Generator().manual_seed(seed)
    image = 0.5 + 0.05 * torch.randn(count, 3, 48, 48, generator=draw)
    masks = torch.zeros(count, 2, 6, 6)
    tags = torch.rand(count, 2, generator=draw).round()
    for k in range(count):
        for c in range(2):
            y = int(torch.randint(0, 2, (), generator=draw)) + 3 * c
            x = int(torch.randint(0, 4, (), generator=draw))
            if tags[k, c]:
                masks[k, c, y : y + 2, x : x + 3] = 1
                block = image[k, :, 8 * y : 8 * y + 16, 8 * x : 8 * x + 24]
                block += (COLOURS[c] - 0.5).view(3, 1, 1)
    return Batch(tuple(map(str, range(count))), image, tags), masks


def make(width=32, **settings):
    torch.manual_seed(1)
    return MCTformer(
        ViT(width, layers=2, heads=2, patch=8, grid=8), 2, last=2, flip=False, **settings
    )


@pytest.fixture(scope="module")
def trained():
    net = make()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    for step in range(100):
        terms = net.loss(pictures(seed=step + 1)[0])
        optimizer.zero_grad()
        sum(terms.values()).backward()
        optimizer.step()
    return net.eval()


def share_inside(maps, masks, tags):
    """Of each present class's map, the share that lies on its own object: one value a class."""
    maps = maps / maps.sum(dim=(2, 3), keepdim=True).clamp(min=1e-8)
    found = (maps * masks).sum(dim=(2, 3))
    return (found * tags).sum(dim=0) / tags.sum(dim=0)


def test_each_token_looks_at_its_own_object(trained):
    """Where both classes are present: by attention alone, without the CAM."""
    batch, masks = pictures(64)
    both = batch.tags.sum(dim=1) == 2
    with torch.no_grad():
        _, _, attention = trained.transformer(batch.image[both])
    maps = class_attention(attention[-2:].mean(dim=0), 2, (6, 6))
    own = share_inside(maps, masks[both], batch.tags[both])
    other = share_inside(maps, masks[both].flip(1), batch.tags[both])
    assert (own > other + 0.1).all(), (own, other)


def test_the_tokens_have_not_become_the_same(trained):
    one, other = torch.nn.functional.normalize(trained.transformer.tokens.detach(), dim=1)
    assert one @ other < 0.9


def test_the_mean_of_a_token_is_the_logit_of_its_class(trained):
    batch, _ = pictures()
    tokens, patches, _ = trained.transformer(batch.image)
    terms = trained.loss(batch)
    losses = []
    for logits in (tokens.mean(dim=2), trained.head(patches).mean(dim=(2, 3))):
        yes, no = (torch.nn.functional.logsigmoid(x) for x in (logits, -logits))
        losses.append(-(batch.tags * yes + (1 - batch.tags) * no).mean())
    assert torch.isclose(terms["tokens"], losses[0], atol=1e-5)
    assert torch.isclose(terms["patches"], losses[1], atol=1e-5)
    slope = torch.autograd.grad(tokens.mean(dim=2)[0, 0], tokens)[0]
    assert slope[0, 1].abs().max() == 0
    assert slope[0, 0].min() > 0


def test_another_order_of_the_tokens_permutes_the_maps(trained):
    batch, _ = pictures(4)
    net = make()
    net.load_state_dict(trained.state_dict())
    net.eval()
    with torch.no_grad():
        before = net.class_maps(batch.image)
        for weight in (net.transformer.tokens, net.head.weight, net.head.bias):
            weight.copy_(weight.flip(0))
        assert torch.allclose(net.class_maps(batch.image), before.flip(1), atol=1e-6)


def test_maps_are_attention_times_cam_spread_along_the_patches(trained):
    """A loop over patches, from the rows of the attention matrices themselves."""
    batch, _ = pictures(2)
    with torch.no_grad():
        _, patches, attention = trained.transformer(batch.image)
        found = trained.class_maps(batch.image).flatten(2)
        cam = trained.head(patches).relu().flatten(2)
    assert torch.allclose(attention.sum(dim=-1), torch.ones(()))
    deep = attention[-trained.last :].mean(dim=0)
    every = attention.mean(dim=0)
    for b in range(2):
        for c in range(2):
            fused = torch.stack([deep[b, c, 2 + j] * cam[b, c, j] for j in range(36)])
            for i in range(36):
                row = every[b, 2 + i, 2:]
                assert torch.isclose(found[b, c, i], (row / row.sum() * fused).sum(), rtol=1e-3)


def test_each_row_of_the_table_is_the_answer_of_one_training():
    """Attention, attention x CAM, refined: a loop over pixels, two looks, min-max at the end."""
    torch.manual_seed(0)
    image = torch.rand(2, 3, 16, 24)
    batch = Batch(("a", "b"), image, torch.tensor([[1.0, 1.0], [0.0, 1.0]]))
    net = make(scales=(1.0, 2.0)).eval()

    def look(x, row):
        with torch.no_grad():
            _, patches, attention = net.transformer(x)
            cam, (h, w) = net.head(patches).relu(), patches.shape[-2:]
            deep, every = attention[-2:].mean(dim=0)[0], attention.mean(dim=0)[0]
        maps = torch.zeros(1, 2, h * w)
        for c in range(2):
            for i in range(h * w):
                maps[0, c, i] = deep[c, 2 + i]
                if row != "attention":
                    maps[0, c, i] *= cam[0, c, i // w, i % w]
        if row == "refined":
            steps = every[2:, 2:] / every[2:, 2:].sum(dim=1, keepdim=True)
            maps = torch.stack([steps @ one for one in maps[0]])[None]
        return maps.view(1, 2, h, w)

    for row in ("attention", "fused", "refined"):
        net.answer = row
        said = net.predict(batch).detach()
        for b in range(2):
            sizes = [(16, 24), (32, 48)]
            maps = added_maps(lambda x, row=row: look(x, row), image[b], sizes, flip=False)
            for c in range(2):
                low, high = maps[c].min(), maps[c].max()
                expected = (maps[c] - low) / (high - low) * batch.tags[b, c]
                torch.testing.assert_close(said[b, c], expected, atol=1e-4, rtol=1e-3)
    assert make().answer == "refined", "the paper's"
    assert MCTformer.toy(2, toy_vit(pretrained=False)).answer == "fused", "what results hold"


def test_the_flip_of_the_recipe_is_looked_at():
    torch.manual_seed(0)
    image = torch.rand(1, 3, 16, 24)
    batch = Batch(("a",), image, torch.ones(1, 2))
    torch.manual_seed(1)
    net = MCTformer(ViT(32, layers=2, heads=2, patch=8, grid=8), 2, last=2).eval()
    mirrored = Batch(("a",), image.flip(-1), torch.ones(1, 2))
    said = [net.predict(one).detach() for one in (batch, mirrored)]
    torch.testing.assert_close(said[0], said[1].flip(-1), atol=1e-4, rtol=1e-3)


def test_tokens_start_from_the_class_token_of_the_pretraining():
    """Equal ones part, for each has a label of its own; without pretraining they are random."""
    torch.manual_seed(0)
    backbone = ViT(32, layers=2, heads=2, patch=8, grid=8)
    backbone.class_token = torch.randn(32)
    net = MCTformer(backbone, 2)
    assert torch.equal(net.transformer.tokens, backbone.class_token.expand(2, -1))
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    for _ in range(3):
        optimizer.zero_grad()
        sum(net.loss(pictures()[0]).values()).backward()
        optimizer.step()
    one, other = net.transformer.tokens.detach()
    assert (one - other).abs().max() > 1e-3
    one, other = make().transformer.tokens.detach()
    assert not torch.equal(one, other)


def test_patches_of_one_object_look_at_each_other():
    """On blocks of one colour, which are far easier than the objects of the toy world."""
    batch, masks = pictures(64)
    alone = batch.tags.sum(dim=1) == 1
    torch.manual_seed(0)
    net = MCTformer(toy_vit(), 2)
    with torch.no_grad():
        _, _, attention = net.transformer(batch.image[alone])
    between = patch_affinity(attention.mean(dim=0), 2)
    mask = masks[alone].amax(dim=1).flatten(1)
    within = torch.einsum("bi,bij,bj->b", mask, between, mask) / mask.sum(dim=1)
    assert within.mean() > 1.2 * mask.mean()


def test_one_step_along_the_patches_fills_an_object():
    """A score on one patch reaches the patches that look at it, and no others."""
    maps, affinity = torch.zeros(1, 1, 1, 4), torch.eye(4)[None].clone()
    maps[..., 0] = 1.0
    affinity[0, :2, :2] = 0.5
    assert spread(maps, affinity).tolist() == [[[[0.5, 0.5, 0.0, 0.0]]]]


def test_it_says_that_it_needs_a_transformer():
    with pytest.raises(InputError, match="vision transformer"):
        MCTformer(toy_cnn(pretrained=False), 2)
