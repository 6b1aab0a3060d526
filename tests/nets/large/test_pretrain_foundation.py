"""The making of the tiny foundation models: what they are shown, and that it can be repeated."""

import json
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors import safe_open
from torch import Generator

from experiments.foundation.clip import clip_loss, excerpt, half_hidden, mentions
from experiments.foundation.pictures import CLUTTER, STUFF, WORLD, pool, regions
from experiments.foundation.sam import mask_loss, prompted
from experiments.pretrain_foundation import TASKS, main, train
from wsss_lib.data.toy import toy_scene
from wsss_lib.nets.large.clip import toy_clip
from wsss_lib.nets.large.vocabulary import toy_tokens


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return pool(tmp_path_factory.mktemp("pool"), 64)


def test_regions_part_the_picture():
    for index in range(8):
        scene = toy_scene(WORLD, "scenes", "val", index)
        region = regions(scene)
        assert (np.where(region < CLUTTER, region, 0) == scene.instance).all()
        stuff = np.where(region >= STUFF, region.astype(int) - STUFF, 0)
        assert (stuff == scene.stuff).all()
        assert (region > 0).all()


def test_prompts_lie_where_they_should(pictures):
    region = pictures["region"][:8]
    masks, points, boxes = prompted(region, 6, Generator().manual_seed(0))
    objects = 0
    for b in range(8):
        for p in range(6):
            x, y = points[b, p, 0].long().tolist()
            assert masks[b, p, y, x]
            assert (masks[b, p] == (region[b] == region[b, y, x])).all()
            objects += int(region[b, y, x] < CLUTTER)
            rows, columns = masks[b, p].nonzero().unbind(1)
            tight = torch.stack([columns.min(), rows.min(), columns.max(), rows.max()])
            assert (boxes[b, p] - tight).abs().max() <= 1.5
    assert 0.5 < objects / 48 < 0.95


def test_only_the_best_answer_learns_the_mask():
    masks = torch.zeros(1, 1, 8, 8, dtype=torch.bool)
    masks[..., :4] = True
    good = torch.where(masks, 9.0, -9.0)[:, :, None]
    logits = torch.cat([good, -good], dim=2).requires_grad_()
    expected = torch.tensor([[[1.0, 0.0]]], requires_grad=True)
    loss = mask_loss(logits, expected, masks)
    assert loss.item() < 0.01
    loss.backward()
    assert logits.grad[:, :, 1].abs().max() == 0
    assert expected.grad.abs().max() < 1e-6
    # By hand: cross-entropy 5 log 2, dice 1 - 33 / 65, and an expected IoU of .5 for an empty mask.
    flat = mask_loss(torch.zeros(1, 1, 1, 8, 8), torch.full((1, 1, 1), 0.5), masks)
    assert flat.item() == pytest.approx(5 * math.log(2) + 1 - 33 / 65 + 0.25)


def test_excerpts_are_true_of_their_caption():
    chance = Generator().manual_seed(0)
    caption = toy_tokens(["a cat, a bus and a boat on the sand under the sky"])
    seen = set()
    for _ in range(40):
        text = excerpt(caption[0], chance)
        seen.add(text)
        assert not (mentions(toy_tokens([text])) & ~mentions(caption)).any(), text
        assert mentions(toy_tokens([text])).any()
    assert len(seen) > 10
    assert excerpt(toy_tokens(["nothing on the sand"])[0], chance)


def test_a_sentence_belongs_to_every_picture_it_is_true_of(pictures, monkeypatch):
    """Re-typed formula: the targets share each row and column among all true pairs."""
    clip = toy_clip(pretrained=False)
    said = ["a photo of a cat", "a cat and a boat on the sand", "a photo of the sand"]
    full = ["a cat and a boat on the sand", "a cat on the snow", "a bus on the sand"]
    true = torch.tensor([[1.0, 1, 1], [1, 0, 0], [0, 0, 1]])
    data = {"image": pictures["image"][:3], "caption": toy_tokens(full)}
    monkeypatch.setattr("torch.randint", lambda *_, **__: torch.tensor([0, 1, 2]))
    for change in ("augment", "half_hidden"):
        monkeypatch.setattr(f"experiments.foundation.clip.{change}", lambda images, _: images)
    texts = iter(said)
    monkeypatch.setattr("experiments.foundation.clip.excerpt", lambda *_: next(texts))
    loss = clip_loss(clip, data, Generator(), batch=3)
    logits = clip.logits(clip.image_features(data["image"] / 255), clip.text_features(said))
    rows = -(true / true.sum(1, keepdim=True) * F.log_softmax(logits, 1)).sum(1).mean()
    columns = -(true / true.sum(0) * F.log_softmax(logits, 0)).sum(0).mean()
    torch.testing.assert_close(loss, (rows + columns) / 2)


def test_half_of_the_patches_of_half_of_the_images_are_hidden():
    images = torch.rand(200, 3, 64, 64, generator=Generator().manual_seed(0))
    hidden = (half_hidden(images, Generator().manual_seed(0)) != images).all(dim=1)
    patches = hidden.unflatten(2, (8, 8)).unflatten(1, (8, 8)).float().mean(dim=(2, 4))
    assert set(patches.unique().tolist()) == {0, 1}
    some = patches.flatten(1).any(dim=1)
    assert 0.4 < some.float().mean() < 0.6
    assert 0.47 < patches[some].mean() < 0.53


@pytest.mark.parametrize("name", list(TASKS))
def test_every_weight_of_use_learns(name, pictures):
    torch.manual_seed(0)
    net = TASKS[name].make(False)
    TASKS[name].loss(net, pictures, Generator().manual_seed(0)).backward()
    # Masks as prompts and points beside the object; how OWL-ViT compares whole images.
    unused = ("mask_embed", "point_embed.0", "owlvit.logit_scale", "owlvit.visual_projection")
    for key, weight in net.named_parameters():
        if not any(part in key for part in unused):
            assert weight.grad is not None, key
            assert weight.grad.isfinite().all(), key


@pytest.mark.parametrize("name", list(TASKS))
def test_a_training_that_is_cut_off_ends_in_the_same_weights(name, pictures, tmp_path):
    whole, _ = train(name, pictures, 4, tmp_path / "one.pt", 0, seconds=math.inf)
    answers = [train(name, pictures, 4, tmp_path / "two.pt", 0, seconds=0) for _ in range(4)]
    assert answers[:3] == [None] * 3
    for one, two in zip(whole.parameters(), answers[3][0].parameters(), strict=True):
        assert torch.equal(one, two)


def test_retrain_command_writes_weights_and_figures(tmp_path):
    folders = ["--out", str(tmp_path / "weights"), "--results", str(tmp_path / "figures")]
    main(["--smoke", *folders, "--folder", str(tmp_path / "runs")])
    for name, task in TASKS.items():
        with safe_open(tmp_path / "weights" / f"toy_{name}.safetensors", "pt") as file:
            assert set(file.keys()) == set(task.make(False).model.state_dict())
            facts = json.loads(file.metadata()["facts"])
        figures = json.loads((tmp_path / "figures" / f"{name}.json").read_text())
        assert figures["steps"] == facts["steps"] == 4
        assert figures["figures"]["images"] == 64


def test_retrain_command_refuses_unknown_networks(capsys):
    with pytest.raises(SystemExit):
        main(["dino"])
    assert "choose from" in capsys.readouterr().err
