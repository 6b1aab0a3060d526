"""Mix transformers: the numbers of published weights, attention that can be asked for, errors."""

import pytest
import torch
from transformers import (
    SegformerConfig,
    SegformerImageProcessor,
    SegformerModel,
    ViTConfig,
    ViTModel,
)

from wsss_lib.core import InputError
from wsss_lib.nets.backbones.mit import MiT, load_mit

SIZES = {
    "hidden_sizes": [8, 12, 16, 24], "depths": [1, 2, 1, 2], "num_attention_heads": [1, 2, 2, 4],
    "sr_ratios": [4, 2, 1, 1],
}  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    """A small model in the files that a published one has, no weight of it at its start."""
    torch.manual_seed(0)
    model = SegformerModel(SegformerConfig(**SIZES, attn_implementation="eager"))
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.3 * torch.randn_like(weight))
    model.save_pretrained(tmp_path)
    means = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.5, 0.25, 0.2]}
    SegformerImageProcessor(**means).save_pretrained(tmp_path)
    return tmp_path


def test_weights_of_transformers_give_the_same_maps(folder):
    net, theirs = load_mit(folder).eval(), SegformerModel.from_pretrained(folder).eval()
    image = torch.rand(2, 3, 64, 96)
    mean, std = (torch.tensor(v)[:, None, None] for v in ([0.5, 0.4, 0.3], [0.5, 0.25, 0.2]))
    with torch.inference_mode():
        expected = theirs((image - mean) / std, output_hidden_states=True).hidden_states
        found = net(image)
    assert len(found) == len(expected) == 4
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)
        assert one.std() > 0.5, "a comparison of nearly nothing proves nothing"


def test_the_softmax_of_the_products_is_the_attention_of_the_last_stage(folder):
    net = load_mit(folder).eval()
    theirs = SegformerModel.from_pretrained(folder, attn_implementation="eager").eval()
    image = torch.rand(2, 3, 64, 96)
    with torch.inference_mode():
        seen = theirs(net.standardize(image), output_attentions=True).attentions[-2:]
        maps, products = net.attend(image)
    assert [tuple(one.shape) for one in products] == [(2, 4, 6, 6)] * 2
    for one, other in zip(products, seen, strict=True):
        torch.testing.assert_close(one.softmax(dim=-1), other, atol=1e-5, rtol=1e-4)
    assert all(torch.equal(a, b) for a, b in zip(maps, net(image), strict=True))


def test_denser_patches_take_the_same_weights(folder):
    net, dense = load_mit(folder).eval(), load_mit(folder, strides=(4, 2, 2, 1)).eval()
    assert (net.strides, dense.strides) == ([4, 8, 16, 32], [4, 8, 16, 16])
    image = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        one, other = net(image), dense(image)
    assert torch.equal(one[2], other[2])
    assert (one[3].shape[-1], other[3].shape[-1]) == (2, 4)


def test_a_map_smaller_than_a_cell_is_one_cell():
    net = MiT((4, 4, 4, 4), (1, 1, 1, 1), (1, 1, 1, 1), (8, 8, 8, 8)).eval()
    assert [tuple(m.shape[-2:]) for m in net(torch.rand(1, 3, 20, 9))] == [
        (5, 3), (3, 2), (2, 1), (1, 1),
    ]  # fmt: skip


def test_missing_files_and_other_models_are_named(tmp_path):
    with pytest.raises(InputError, match=r"not here .*config.json, model.safetensors"):
        load_mit(tmp_path / "nowhere")
    sizes = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1}
    ViTModel(ViTConfig(num_attention_heads=1, **sizes)).save_pretrained(tmp_path)
    with pytest.raises(InputError, match="of type 'vit', but one of type 'segformer'"):
        load_mit(tmp_path)


def test_size_of_the_paper():
    assert 13 < sum(weight.numel() for weight in MiT().parameters()) / 1e6 < 13.3
