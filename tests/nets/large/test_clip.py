"""The CLIP wrapper: read-outs against transformers, and the real path."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sklearn.metrics import roc_auc_score

from wsss_lib.blocks.maps.gradcam import grad_cam
from wsss_lib.core import InputError
from wsss_lib.data.toy import KINDS, toy_scene
from wsss_lib.nets.large.clip import load_clip, toy_clip
from wsss_lib.nets.large.vocabulary import CONTEXT, END, START, VOCABULARY, toy_tokens

PROMPTS = [f"a photo of a {name}" for name in KINDS]


@pytest.fixture(scope="module")
def clip():
    return load_clip()


@pytest.fixture(scope="module")
def scenes():
    return [toy_scene(3, "standard", "val", index) for index in range(160)]


@pytest.fixture(scope="module")
def images(scenes):
    return torch.from_numpy(np.stack([s.image for s in scenes])).permute(0, 3, 1, 2) / 255


def test_the_view_is_what_transformers_computes(clip):
    image = torch.rand(2, 3, 64, 64)
    view = clip.look(image)
    pixels = (image - 0.5) / 0.25
    with torch.no_grad():
        theirs = clip.model.vision_model(
            pixel_values=pixels, output_attentions=True, output_hidden_states=True
        )
        features = clip.model.get_image_features(pixels).pooler_output
    features = features / features.norm(dim=1, keepdim=True)
    for ours in (view.features, clip.image_features(image), view.embed(view.normed)):
        torch.testing.assert_close(ours, features, atol=1e-5, rtol=1e-4)
    assert len(view.attentions) == len(theirs.attentions) == 6
    for ours, other in zip(view.attentions, theirs.attentions, strict=True):
        torch.testing.assert_close(ours, other, atol=1e-5, rtol=1e-4)
    normed = clip.model.vision_model.encoder.layers[-1].layer_norm1(theirs.hidden_states[-2])
    torch.testing.assert_close(
        view.normed.flatten(2).transpose(1, 2), normed[:, 1:], atol=1e-5, rtol=1e-4
    )
    assert view.tokens.shape == (2, 64, 8, 8)
    torch.testing.assert_close(view.tokens.norm(dim=1), torch.ones(2, 8, 8))


@pytest.mark.parametrize("size", [(64, 64), (61, 100), (1, 1), (128, 96)])
def test_images_of_any_size(clip, size):
    view = clip.look(torch.rand(1, 3, *size))
    grid = tuple(-(-side // 8) for side in size)
    assert tuple(view.tokens.shape[2:]) == tuple(view.normed.shape[2:]) == grid
    assert view.attentions[0].shape[-1] == 1 + grid[0] * grid[1]
    assert view.features.isfinite().all()


def test_gradient_reaches_the_image_and_no_weight(clip):
    image = torch.rand(1, 3, 64, 64, requires_grad=True)
    clip.logits(clip.image_features(image), clip.text_features(PROMPTS))[0, 0].backward()
    assert image.grad.abs().sum() > 0
    assert not any(weight.requires_grad for weight in clip.parameters())
    assert not clip.training


def test_softmax_grad_cam_needs_a_rival(clip, images):
    """CLIP-ES: with one class and nothing else to choose, the softmax is constant."""
    with torch.inference_mode():  # as methods predict
        view = clip.look(images[:2])

        def maps(prompts):
            text = clip.text_features(prompts)
            return grad_cam(lambda f: clip.logits(view.embed(f), text).softmax(dim=1), view.normed)

        alone, beside = maps(PROMPTS[:1]), maps([*PROMPTS[:1], "a photo of the water"])
    assert alone.shape == (2, 1, 8, 8)
    assert alone.abs().max() < 1e-6 < beside[:, 0].max()


def test_logits_are_scaled_cosines(clip, images):
    image, text = clip.image_features(images[:3]), clip.text_features(PROMPTS)
    torch.testing.assert_close(text.norm(dim=1), torch.ones(6))
    theirs = clip.model(
        input_ids=toy_tokens(PROMPTS), pixel_values=(images[:3] - 0.5) / 0.25
    ).logits_per_image
    torch.testing.assert_close(clip.logits(image, text), theirs, atol=1e-4, rtol=1e-4)


def test_words():
    assert len(VOCABULARY) == 22
    row = toy_tokens(["A cat, and the sky."])[0].tolist()
    words = [VOCABULARY[word] for word in ("a", "cat", "and", "the", "sky")]
    assert row == [START, *words] + [END] * (CONTEXT - 6)
    with pytest.raises(InputError, match=r"'zebra'.*starfish"):
        toy_tokens(["a zebra"])
    with pytest.raises(InputError, match="more than 18 words"):
        toy_tokens(["a " * 19])


def test_padding_and_company_do_not_change_a_sentence(clip):
    text = "a boat on the water"
    alone = clip.text_features([text])[0]
    torch.testing.assert_close(clip.text_features(["a cat", text])[1], alone)
    short = clip.model.get_text_features(toy_tokens([text])[:, :7]).pooler_output[0]
    torch.testing.assert_close(short / short.norm(), alone, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("prompts", [[], "a cat"])
def test_prompts_must_be_a_list(clip, prompts):
    with pytest.raises(InputError, match="list of sentences"):
        clip.text_features(prompts)


def test_images_must_be_images(clip):
    with pytest.raises(InputError, match=r"\(B, 3, H, W\)"):
        clip.look(torch.rand(3, 64, 64))


def test_zero_shot_recognition(clip, scenes, images):
    """AUC above .9 for every class on pictures of a world that nothing was trained on."""
    with torch.no_grad():
        cosine = clip.image_features(images) @ clip.text_features(PROMPTS).t()
    for k, name in enumerate(KINDS):
        present = [k in scene.classes for scene in scenes]
        assert roc_auc_score(present, cosine[:, k].numpy()) > 0.9, name


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A small model with everything that a real one has beside it."""
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPTokenizer

    folder = tmp_path_factory.mktemp("clip")
    letters = [chr(code) for code in range(97, 123)]
    tokens = [*letters, *[f"{letter}</w>" for letter in letters]]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    words = {token: number for number, token in enumerate(tokens)}
    CLIPTokenizer(vocab=words, merges=[]).save_pretrained(folder)
    CLIPImageProcessor(image_mean=[0.1, 0.2, 0.3], image_std=[0.4, 0.5, 0.6]).save_pretrained(
        folder
    )
    shared = {
        "hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2,
        "num_hidden_layers": 2, "projection_dim": 8,
    }  # fmt: skip
    text = {
        **shared, "vocab_size": len(words), "max_position_embeddings": 12,
        "bos_token_id": 52, "eos_token_id": 53, "pad_token_id": 53,
    }  # fmt: skip
    torch.manual_seed(0)
    config = CLIPConfig(
        text_config=text,
        vision_config={**shared, "image_size": 32, "patch_size": 16},
        projection_dim=8,
    )
    CLIPModel(config).save_pretrained(folder)
    return folder


def test_a_saved_model_computes_what_transformers_computes(saved):
    from transformers import CLIPModel, CLIPTokenizer

    clip = load_clip(saved)
    assert (clip.patch, clip.size) == (16, 32)
    image = torch.rand(2, 3, 32, 32)
    mean, std = torch.tensor([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]])[..., None, None]
    prompts = ["a cat", "dogs", "a very long sentence that will not fit"]
    words = CLIPTokenizer.from_pretrained(saved)(
        prompts, padding=True, truncation=True, max_length=12, return_tensors="pt"
    )
    theirs = CLIPModel.from_pretrained(saved).eval()(pixel_values=(image - mean) / std, **words)
    ours = clip.logits(clip.image_features(image), clip.text_features(prompts))
    torch.testing.assert_close(ours, theirs.logits_per_image, atol=1e-4, rtol=1e-4)
    assert clip.look(torch.rand(1, 3, 40, 70)).attentions[1].shape == (1, 2, 16, 16)


def test_models_that_are_not_whole_are_refused(saved, tmp_path):
    (tmp_path / "config.json").write_text((saved / "config.json").read_text())
    with pytest.raises(InputError, match="into a folder"):
        load_clip(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(InputError, match="into a folder"):
        load_clip(tmp_path)
    weights = load_file(saved / "model.safetensors")
    del weights["visual_projection.weight"]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"lacks 1 weights .* visual_projection\.weight"):
        load_clip(tmp_path)


def test_the_untrained_one_is_there_for_training():
    clip = toy_clip(pretrained=False)
    assert all(weight.requires_grad for weight in clip.parameters())
