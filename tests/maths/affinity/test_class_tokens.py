import torch

from wsss_lib.blocks.affinity.class_tokens import (
    class_attention,
    looked_at,
    patch_affinity,
    spread,
)


def attention(c=3, h=2, w=4, b=2):
    return torch.randn(b, c + h * w, c + h * w).softmax(dim=-1)


def test_class_attention_is_the_block_of_class_rows_and_patch_columns():
    given = attention()
    maps = class_attention(given, 3, (2, 4))
    for b in range(2):
        for c in range(3):
            for y in range(2):
                for x in range(4):
                    assert maps[b, c, y, x] == given[b, c, 3 + 4 * y + x]


def test_patch_affinity_rows_sum_to_one_and_keep_their_proportions():
    given = attention()
    between = patch_affinity(given, 3)
    assert torch.allclose(between.sum(dim=2), torch.ones(2, 8))
    ratio = between / given[:, 3:, 3:]
    assert torch.allclose(ratio, ratio[:, :, :1].expand_as(ratio), rtol=1e-4)


def test_spread_is_a_mean_over_patches_for_each_patch():
    maps, affinity = torch.rand(2, 3, 2, 4), torch.rand(2, 8, 8)
    affinity = affinity / affinity.sum(dim=2, keepdim=True)
    said = spread(maps, affinity).flatten(2)
    for i in range(8):
        mean = sum(affinity[:, i, j, None] * maps.flatten(2)[:, :, j] for j in range(8))
        assert torch.allclose(said[:, :, i], mean, atol=1e-6)
    assert torch.allclose(spread(maps, torch.eye(8).repeat(2, 1, 1)), maps)
    assert torch.allclose(spread(torch.ones(2, 1, 2, 4), affinity), torch.ones(()))


def test_a_token_sees_the_mean_of_the_patches_weighted_by_where_it_looks():
    given, patches = attention(c=3, h=2, w=4, b=2), torch.randn(2, 5, 2, 4)
    looks, seen = looked_at(given, patches, 3)
    assert looks.shape == (2, 3, 2, 4)
    for b in range(2):
        for k in range(3):
            spent = sum(given[b, k, 3 + p] for p in range(8))
            total = torch.zeros(5)
            for p in range(8):
                share = given[b, k, 3 + p] / spent
                assert torch.isclose(looks[b, k, p // 4, p % 4], share)
                total += share * patches[b, :, p // 4, p % 4]
            torch.testing.assert_close(seen[b, k], total)
