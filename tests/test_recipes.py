"""Systems at the size of their papers: all are there, fit together, and say what they lack."""

import json

import pytest
from PIL import Image
from torchvision import models
from typer.testing import CliRunner

from tests.tiny import plain_folder
from wsss_lib.cli import app
from wsss_lib.cli.pipeline import DRY_SETTINGS, LOOKS, _shorten
from wsss_lib.core import InputError
from wsss_lib.engine import answer
from wsss_lib.methods.box.bbam import BBAM
from wsss_lib.methods.foundation.sam_pseudo import SamPseudo
from wsss_lib.methods.image_level.ensemble.ficklenet import FickleNet
from wsss_lib.methods.image_level.erasing.acr import ACR
from wsss_lib.methods.image_level.self_supervised.advcam import AdvCAM
from wsss_lib.methods.point.dextr import DEXTR
from wsss_lib.nets.backbones.mit import MiT
from wsss_lib.nets.backbones.vit import ViT
from wsss_lib.nets.heads.classifier import Classifier
from wsss_lib.nets.heads.reconstructor import Reconstructor
from wsss_lib.nets.large.sam import load_sam
from wsss_lib.recipe_parts import Parts
from wsss_lib.recipes import BUILDERS, build, chain
from wsss_lib.survey import find_methods


def test_every_system_has_a_recipe_with_the_training_of_its_paper():
    assert set(BUILDERS) == set(find_methods())
    for id, kind in find_methods().items():
        assert (kind.recipe.steps > 0) == ("loss" in vars(kind)), id


def test_chains_hold_what_a_system_needs_and_end_with_a_network():
    assert chain("cam") == ("cam", "segmenter")
    assert chain("irnet") == ("cam", "irnet", "segmenter")
    assert chain("seam") == ("seam", "affinitynet", "segmenter")
    assert chain("advcam") == ("advcam", "irnet", "segmenter")
    assert chain("segmenter") == ("cam", "segmenter")
    assert chain("ncut_loss") == ("ncut_loss",)
    for id in BUILDERS:
        *_, last = chain(id)
        assert find_methods()[last].card.is_network


@pytest.mark.parametrize("ask", [chain, lambda id: build(id, ["cat"])])
def test_an_unknown_recipe_is_named(ask):
    with pytest.raises(InputError, match=r"No recipe 'seem'; there are: .*seam"):
        ask("seem")


def test_networks_have_the_shapes_of_the_papers():
    def millions(id):
        method = build(id, ["cat", "dog"], pretrained=False)
        return sum(weight.numel() for weight in method.parameters()) / 1e6

    assert 23 < millions("cam") < 24  # ResNet-50 without its classifier
    assert 21 < millions("mctformer") < 23  # DeiT-S
    assert 149 < millions("clip_es") < 151  # CLIP ViT-B/16


def test_a_dry_run_shortens_what_takes_minutes():
    repeated = (
        (SamPseudo, "grid"), (FickleNet, "passes"), (AdvCAM, "climbs"), (BBAM, "shrinks"),
        (BBAM, "drawn"), (BBAM, "kept"), (DEXTR, "zoom"),
    )  # fmt: skip
    for kind, name in repeated:
        method = kind.toy(2)
        part = {"grid": "sam", "zoom": "cutter"}.get(name)
        part = getattr(method, part) if part else method
        assert getattr(part, name) > DRY_SETTINGS[name]
        _shorten(method)
        assert getattr(part, name) == DRY_SETTINGS[name]


@pytest.fixture
def thin(monkeypatch):
    """The networks of the papers with few layers: a chain holds, or does not, all the same.

    Drawing, hashing and saving 25 to 340 million weights three times a chain takes minutes.
    """

    def thin_resnet(name, weights=None, **how):
        return models.resnet.ResNet(models.resnet.Bottleneck, [1, 1, 1, 1], **how)

    def thin_acr(parts):
        rival = Reconstructor(parts.resnet(8), parts.count, (4, 4, 8), (4, 8))
        return ACR(Classifier(parts.resnet(8), parts.count), rival)

    monkeypatch.setattr("wsss_lib.nets.backbones.resnet.models.get_model", thin_resnet)
    monkeypatch.setattr(Parts, "deit_small", lambda parts: ViT(96, 2, 2))
    monkeypatch.setattr(Parts, "vit_base", lambda parts: ViT(96, 4, 2))
    monkeypatch.setattr(Parts, "mit_b1", lambda parts: MiT((8, 8, 20, 32), strides=(4, 2, 2, 1)))
    monkeypatch.setattr("wsss_lib.recipe_parts.untrained_sam", load_sam)
    monkeypatch.setitem(BUILDERS, "ficklenet", lambda p: FickleNet(p.resnet(), p.count, 3))
    monkeypatch.setitem(BUILDERS, "acr", thin_acr)


@pytest.mark.usefixtures("thin")
@pytest.mark.parametrize("id", BUILDERS)
def test_a_dry_run_goes_from_weak_labels_to_masks(id, tmp_path):
    root = plain_folder(tmp_path / "mine", sizes=((48, 64), (64, 50)) * 5, split=True)
    for path in (root / "images").iterdir():
        grey = Image.open(path).convert("L")
        (root / "Saliency").mkdir(exist_ok=True)
        grey.save(root / "Saliency" / path.name)
    asked = ["run", "--recipe", id, "--dry-run", "--data", str(root), "--out", str(tmp_path / "o")]
    answer = CliRunner().invoke(app, asked)
    assert answer.exit_code == 0, answer.output
    for stage in chain(id):
        assert len(list((tmp_path / "o" / stage / "labels").glob("*.png"))) == 7


def test_the_network_of_a_recipe_looks_at_new_images_as_papers_do(tmp_path, monkeypatch):
    seen = []

    def watched(method, view, store, **how):
        seen.append((tuple(how["scales"]), how["flip"]))
        answer(method, view, store, **how)

    monkeypatch.setattr("wsss_lib.cli.pipeline.answer", watched)
    root = plain_folder(tmp_path / "mine", sizes=((48, 64),) * 6, split=True)
    # The one dry run with a network of full size.
    for how in (["--recipe", "pce", "--dry-run"], ["pce", "--steps", "1"]):
        out = tmp_path / how[0]
        asked = ["run", *how, "--data", str(root), "--out", str(out)]
        assert CliRunner().invoke(app, asked).exit_code == 0
        told = json.loads((out / "pce" / "result_val.json").read_text())
        assert (tuple(told["scales"]), told["flip"]) == seen[-1]
    assert seen == [(LOOKS, True), ((1.0,), False)]


def test_systems_or_a_recipe_but_not_both(tmp_path):
    root = plain_folder(tmp_path / "mine")
    for more in ([], ["cam", "--recipe", "cam"]):
        asked = ["run", *more, "--data", str(root), "--out", str(tmp_path / "o")]
        answer = CliRunner().invoke(app, asked)
        assert answer.exit_code == 2
        assert "Name the systems to run, or one --recipe" in answer.output
