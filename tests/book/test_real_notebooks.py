"""What the notebooks on real data and real models do with and without them."""

import sys
import types

import pets_data
import pytest
import real_models
import torch
from transformers import (
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    CLIPTokenizer,
    SamImageProcessor,
)

from tests.data_scripts import archives
from wsss_lib.core import Batch, InputError
from wsss_lib.methods.foundation.clip_es import ClipES
from wsss_lib.nets.large.sam import toy_sam


@pytest.fixture
def colab(monkeypatch):
    """A process that looks as if it ran on Colab."""
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """No network, and nothing that was fetched before."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))


@pytest.fixture
def saved(tmp_path):
    """Folders of a small CLIP and a small SAM, as their makers publish them."""
    clip, sam = tmp_path / "clip", tmp_path / "sam"
    torch.manual_seed(0)
    letters = "abcdefghijklmnopqrstuvwxyz."
    words = [*letters, *(f"{letter}</w>" for letter in letters)]
    words += ["<|startoftext|>", "<|endoftext|>"]
    CLIPTokenizer(vocab={w: n for n, w in enumerate(words)}, merges=[]).save_pretrained(clip)
    CLIPImageProcessor().save_pretrained(clip)
    small = {
        "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 2, "projection_dim": 16,
    }  # fmt: skip
    text = {
        **small, "vocab_size": len(words), "eos_token_id": len(words) - 1,
        "bos_token_id": len(words) - 2, "pad_token_id": len(words) - 1,
    }  # fmt: skip
    vision = {**small, "image_size": 64, "patch_size": 16}
    CLIPModel(
        CLIPConfig(text_config=text, vision_config=vision, projection_dim=16)
    ).save_pretrained(clip)
    toy_sam(pretrained=False).model.save_pretrained(sam)
    SamImageProcessor().save_pretrained(sam)
    return clip, sam


def use(models: real_models.Models) -> None:
    """What the notebook asks of the models: a map of a word, and a mask for a box."""
    image = torch.rand(3, 48, 80)
    method = ClipES(models.clip, ["a clean origami cat."], ["a clean origami sea."], layers=2)
    scores = method.predict(Batch(("a",), image[None], tags=torch.ones(1, 1)))
    assert scores.shape == (1, 1, 48, 80)
    assert 0 <= scores.min() <= scores.max() <= 1
    box = torch.tensor([[10, 10, 40, 40]])
    masks, iou = models.sam.masks_from(models.sam.embed(image), boxes=box)
    assert masks.shape == (1, 48, 80)
    assert iou.shape == (1,)


def test_models_that_are_here_are_loaded(saved, offline, capsys):
    models = real_models.clip_and_sam(*saved)
    assert models.real
    assert str(saved[0]) in capsys.readouterr().out
    use(models)
    models.say()
    assert capsys.readouterr().out == ""


def test_outside_of_colab_nothing_is_fetched(offline, monkeypatch, capsys):
    monkeypatch.setattr(real_models, "load_clip", None)  # not even tried
    models = real_models.clip_and_sam()
    assert not models.real
    told = capsys.readouterr().out
    for part in ("no picture below\nmeans anything", "0.6 GB", "0.4 GB", "fetches nothing"):
        assert part in told
    use(models)
    models.say()
    assert "means nothing" in capsys.readouterr().out


def test_on_colab_without_a_network_the_reason_is_told(offline, colab, capsys):
    models = real_models.clip_and_sam()
    assert not models.real
    told = capsys.readouterr().out
    assert f"the clip model {real_models.CLIP} is not here and could not be fetched" in told
    assert 'clip_and_sam("my_clip", "my_sam")' in told


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.setattr(pets_data, "DATA", tmp_path / "data")
    return tmp_path / "data"


def test_drawn_animals_stand_in_for_photographs(data, monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    pets = pets_data.pets_or_drawings(500, 200)
    told = capsys.readouterr().out
    assert "no GPU here" in told
    assert f"{len(pets.train)} and {len(pets.val)} drawn animals" in told
    assert "No figure below says anything" in told
    pets.say()
    assert "this says nothing" in capsys.readouterr().out
    assert pets.train.classes == ("cat", "dog")
    for data_set in (pets.train, pets.val):
        for id in data_set.ids:
            number = int(data_set.tags(id).argmax()) + 1
            mask = data_set.mask(id)
            assert ("cat" in id) == (number == 1)
            assert {0, number, 255} == set(mask.unique().tolist())
            assert 0.05 < (mask == number).float().mean() < 0.5
    first_tenth, _ = pets.train.held_out()
    assert {int(first_tenth.tags(id).argmax()) for id in first_tenth.ids} == {0, 1}
    assert not list(data.rglob(".drawn/**/*.jpg"))
    again = pets_data.pets_or_drawings(500, 200)
    assert again.train.ids == pets.train.ids


def test_with_a_gpu_the_command_for_the_photographs_is_told(data, monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    pets = pets_data.pets_or_drawings(500, 200)
    assert f"`python -m data_scripts.pets {data / 'pets'}`" in capsys.readouterr().out
    assert pets.steps < 10


def test_on_colab_the_archives_are_fetched_and_the_first_of_each_list_taken(
    data, tmp_path, monkeypatch, colab, tiny, capsys
):
    made = archives.of_pets(tmp_path)
    real = pets_data.pets.main
    monkeypatch.setattr(
        pets_data.pets, "main", lambda root: real(root, made["images"], made["masks"])
    )
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    pets = pets_data.pets_or_drawings(3, 1)
    assert "3 of 4 photographs to learn from, 1 of 2 to measure on" in capsys.readouterr().out
    assert pets.train.ids == ("Abyssinian_1", "american_bulldog_3", "Bombay_2")
    assert pets.val.ids == ("Abyssinian_7",)
    assert pets.steps == 300
    pets.say()
    assert capsys.readouterr().out == ""


def test_on_colab_what_cannot_be_fetched_is_an_error(data, monkeypatch, colab, tiny):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with pytest.raises(InputError, match=r"images\.tar\.gz could not be fetched"):
        pets_data.pets_or_drawings(3, 1)


@pytest.fixture
def tiny(monkeypatch):
    archives.forget_checksums(monkeypatch)
