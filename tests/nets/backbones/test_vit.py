"""Published transformers: the same numbers without the class token, and clear errors."""

import pytest
import torch
from transformers import CLIPConfig, CLIPModel, ViTConfig, ViTImageProcessor, ViTModel

from wsss_lib.core import InputError
from wsss_lib.nets.backbones.vit import ViT, load_vit
from wsss_lib.nets.large.untrained import untrained_clip


@pytest.fixture
def folder(tmp_path):
    """A small model in the files that a published one has."""
    torch.manual_seed(0)
    config = ViTConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=128,
        image_size=32, patch_size=8, initializer_range=0.3, layer_norm_eps=1e-5,
    )  # fmt: skip
    ViTModel(config, add_pooling_layer=False).save_pretrained(tmp_path)
    means = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.5, 0.25, 0.2]}
    ViTImageProcessor(**means).save_pretrained(tmp_path)
    return tmp_path


def test_weights_of_transformers_give_the_same_patches(folder):
    net, theirs = load_vit(folder).eval(), ViTModel.from_pretrained(folder).eval()
    image = torch.rand(2, 3, 32, 32)
    mean, std = (torch.tensor(v)[:, None, None] for v in ([0.5, 0.4, 0.3], [0.5, 0.25, 0.2]))
    with torch.inference_mode():
        tokens = theirs.embeddings((image - mean) / std)[:, 1:]
        for layer in theirs.layers:
            tokens = layer(tokens)
        expected = theirs.layernorm(tokens).transpose(1, 2).unflatten(2, (4, 4))
        found = net(image)[-1]
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
    assert found.std() > 0.5, "a comparison of nearly nothing proves nothing"


def test_only_the_last_map_passes_the_final_norm(folder):
    net, image = load_vit(folder).eval(), torch.rand(2, 3, 32, 32)
    theirs = ViTModel.from_pretrained(folder).eval()
    standardised = net.standardize(image)
    with torch.inference_mode():
        tokens = theirs.layers[0](theirs.embeddings(standardised)[:, 1:])
        found = net(image)[0].flatten(2).transpose(1, 2)
    torch.testing.assert_close(found, tokens, atol=1e-5, rtol=1e-4)


def test_the_class_token_waits_with_its_position(folder):
    theirs = ViTModel.from_pretrained(folder).embeddings
    expected = theirs.cls_token[0, 0] + theirs.position_embeddings[0, 0]
    assert torch.equal(load_vit(folder).class_token, expected)
    assert ViT(8, 1, 1).class_token is None


def test_positions_are_resized_to_the_image(folder):
    net = load_vit(folder)
    assert net(torch.rand(1, 3, 40, 72))[-1].shape == (1, 32, 5, 9)


def test_missing_files_and_other_models_are_named(tmp_path):
    with pytest.raises(InputError, match=r"not here .*config.json, model.safetensors"):
        load_vit(tmp_path / "nowhere")
    text = {"hidden_size": 8, "intermediate_size": 8, "num_attention_heads": 1, "vocab_size": 8}
    tiny = {"hidden_size": 8, "intermediate_size": 8, "num_attention_heads": 1, "image_size": 8}
    CLIPModel(CLIPConfig(text_config=text, vision_config=tiny)).save_pretrained(tmp_path)
    with pytest.raises(InputError, match="of type 'clip', but one of type 'vit'"):
        load_vit(tmp_path)


def test_sizes_of_the_papers():
    def millions(net):
        return sum(weight.numel() for weight in net.parameters()) / 1e6

    assert 85 < millions(ViT()) < 87
    assert 21 < millions(ViT(384, 12, 6)) < 23


def test_an_untrained_clip_reads_and_sees():
    clip = untrained_clip(32)
    text = clip.text_features(["a cat", "a dog", "a cat"])
    assert torch.equal(text[0], text[2])
    assert not torch.allclose(text[0], text[1])
    assert clip.image_features(torch.rand(1, 3, 64, 64)).shape == (1, text.shape[1])
