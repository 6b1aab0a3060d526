"""What live figures show is stored as it was said."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import experiments.affinity_rows
import experiments.dose_maps
from experiments.contenders import Place, contend, threshold_of
from experiments.dose_maps import (
    INSIDE,
    LEVELS,
    class_shown,
    contenders,
    given,
    pictures,
    scene_of,
    stored,
    telling_class,
)
from experiments.doses import FAMILIES, Dose
from wsss_lib.blocks.affinity.attention import affinity_step, attention_affinity
from wsss_lib.blocks.maps.class_maps import to_labels
from wsss_lib.core import IGNORE
from wsss_lib.methods.foundation.clip_es import ClipES
from wsss_lib.results import read_arrays


def test_what_a_family_says_at_each_dose_is_stored(tiny, monkeypatch):
    monkeypatch.setattr(experiments.dose_maps, "RESULTS", tiny)
    (tiny / "curves" / "point").mkdir(parents=True)
    (tiny / "curves" / "point" / "whats_the_point.json").touch()
    twice = {"whats_the_point": "tags_network", "not_measured": "tags_network"}
    monkeypatch.setitem(FAMILIES, "point", replace(FAMILIES["point"], controls=twice))
    experiments.dose_maps.measure("point", tiny / "runs")
    arrays, about = read_arrays(tiny / "doses" / "point.npz")
    family = FAMILIES["point"]
    assert about["contenders"] == ["tags_network", "whats_the_point"]
    assert [entry["dose"] for entry in about["pictures"]] == [0, 1, 2] * 3
    for entry in about["pictures"]:
        place = Place(0, family.doses[entry["dose"]], tiny / "runs")
        truth = place.train.mask(entry["id"])
        scene = scene_of(family, entry["dose"], entry["id"])
        assert (truth.numpy() == scene.label).all()
        for name in about["contenders"]:
            scores = contend(name, place).scores[entry["id"]].float()
            labels = to_labels(scores[None], threshold_of(name, tiny / "runs"))[0]
            byte = arrays[f"{entry['dose']}/{entry['id']}/{name}"]
            assert ((byte >= INSIDE) == (labels == entry["class"]).numpy()).all()
            score = byte % INSIDE / LEVELS
            assert np.abs(score - scores[entry["class"] - 1].numpy()).max() <= 0.5 / LEVELS + 1e-6
        clicks = arrays[f"{entry['dose']}/{entry['id']}/given"]
        assert {*np.unique(clicks)} - {IGNORE} <= {*np.unique(scene.label)}
        assert (clicks != IGNORE).any()


@pytest.mark.parametrize(("name", "kind"), [("scribble", "scribble"), ("box", "extremes")])
def test_weak_labels_are_drawn_in_the_classes_of_their_objects(tiny, name, kind):
    place = Place(0, Dose(0.0), tiny / "runs")
    for id in place.train.ids[:4]:
        truth = place.train.mask(id)
        label, drawn = given(place, FAMILIES[name], id)
        assert label == kind
        assert {*np.unique(drawn)} - {0, IGNORE} == {*truth.unique().tolist()} - {0, IGNORE}
        if kind == "scribble":
            assert (drawn == truth.numpy())[drawn != IGNORE].all()
    assert given(place, FAMILIES["erasing"], place.train.ids[0]) is None


def test_controls_stand_before_their_systems():
    assert contenders(FAMILIES["affinity"]) == [
        "pamr", "affinitynet", "irnet", "pamr_vit", "mctformer",
    ]  # fmt: skip


def test_a_system_that_is_a_control_as_well_stands_once():
    assert contenders(FAMILIES["ensemble"]) == [
        "undropped", "ficklenet", "cam_once", "oaa", "oaa_plus", "oaa_drop", "undilated", "mdc",
    ]  # fmt: skip


def test_a_class_in_bytes_keeps_its_region_and_its_iou():
    truth = torch.tensor([[1, 1, 0, 2]])
    scores = torch.tensor([[[0.9, 0.2, 0.6, 0.3]], [[0.0, 0.0, 0.0, 1.0]]])
    byte, iou = stored(scores, 0.5, truth, 1)
    assert (byte >= INSIDE).tolist() == [[True, False, True, False]]
    assert iou == pytest.approx(1 / 3)
    assert (byte % INSIDE).tolist() == [[14, 3, 9, 4]]


def test_the_class_that_tells_is_the_one_that_gains_as_the_picture_does():
    family = FAMILIES["cooccurrence"]
    truth = torch.tensor([[1, 1, 2, 2, 3, 3]])
    # Class 1 gains all, class 2 nothing, class 3 a half, as the picture does.
    control, system = torch.tensor([[0, 0, 2, 2, 0, 0]]), torch.tensor([[1, 1, 2, 2, 3, 0]])
    assert telling_class({"cam_600": control, "cda": system}, family, truth) == 3
    assert class_shown(truth, 3) == 3
    assert class_shown(torch.tensor([[1, 2, 2]]), 3) == 2
    # The picture gains a third: class 1, which loses a tenth, is nearer to it than class 2.
    truth = torch.tensor([[0] * 4 + [1] * 10 + [2] * 2])
    control, system = torch.where(truth == 2, 0, truth), truth.clone()
    system[0, 4] = 0
    assert telling_class({"cam_600": control, "cda": system}, family, truth) == 2


def test_pictures_of_boats_are_ranked_by_their_boats():
    family = FAMILIES["cooccurrence"]
    boat = 1 + family.classes.index("boat")
    truth = torch.tensor([[1, 1, boat, boat, 0, 0]])
    boatless = torch.tensor([[1, 1, 1, 0, 0, 0]])
    masks = {"found": truth, "half": truth, "lost": truth, "none": boatless}
    place = SimpleNamespace(train=SimpleNamespace(ids=tuple(masks), mask=masks.get))
    # Who finds the boat loses the bus, so that the whole picture gains nothing.
    half = torch.tensor([[1, 0, boat, 0, 0, 0]])
    control = {"found": half, "half": half, "lost": truth, "none": boatless}
    system = {
        "found": torch.where(truth == boat, boat, 0), "half": torch.where(truth == 1, 1, half),
        "lost": torch.where(truth == 1, 1, 0), "none": boatless,
    }  # fmt: skip
    said = {id: system.get for id in family.controls} | {"cam_600": control.get}
    assert pictures(family, place, said) == {
        "largest": ("found", boat), "median": ("half", boat), "smallest": ("lost", boat),
    }  # fmt: skip


def test_affinities_are_stored_as_the_systems_say_them(tiny, monkeypatch):
    monkeypatch.setattr(experiments.affinity_rows, "RESULTS", tiny)
    monkeypatch.setattr(experiments.affinity_rows, "pictures", lambda: {"largest": "train_0003"})
    experiments.affinity_rows.main(folder=Path(tiny / "runs"))
    arrays, about = read_arrays(tiny / "maps" / "affinity_rows.npz")
    place = Place(0, experiments.affinity_rows.HOME, tiny / "runs")
    image = place.train.image("train_0003")[None]
    method = contend("affinitynet", place).method.eval()
    with torch.inference_mode():
        links = method.affinity(image)[0]
    found = arrays["train_0003/affinitynet"] / 255
    assert np.abs(found - links.numpy()).max() <= 0.5 / 255 + 1e-5
    assert about["walks"]["affinitynet"]["steps"] == method.walk
    assert [tuple(offset) for offset in about["walks"]["irnet"]["offsets"]] == method.offsets
    attention = arrays["train_0003/mctformer"]
    assert attention.shape == (64, 64)
    assert (attention.max(axis=1) == 255).all()
    with torch.inference_mode():
        for name, look in (
            ("irnet", lambda method: method.relations.boundary(image)),
            ("benet", lambda method: method.boundaries.boundary(image)),
            ("sance", lambda method: method.net(image)[1]),
        ):
            boundary = look(contend(name, place).method.eval())[0, 0].numpy()
            assert np.abs(arrays[f"train_0003/{name}"] / 255 - boundary).max() <= 0.5 / 255 + 1e-5
        method = contend("seam", place).method.eval()
        clip = place.make(ClipES)
        layers = torch.stack([seen[..., 1:, 1:] for seen in clip.clip.look(image).attentions])
        likenesses = {
            "seam": method.correlation(image, method.backbone(image))[0],
            "clip_es": attention_affinity(layers.mean(dim=(0, 2)))[0],
        }
        method = contend("afa", place).method.eval()
        each = torch.eye(64).view(1, 64, 8, 8)
        # Map i is 1 at patch i alone: what it comes to at patch j is the share of i in j.
        step = affinity_step(each, method.net.attend(image)[1], method.radius).flatten(2)[0].T
    wanted = (step / step.amax(dim=1, keepdim=True)).numpy()
    assert np.abs(arrays["train_0003/afa"] / 255 - wanted).max() <= 0.5 / 255 + 1e-5
    for name, rows in likenesses.items():
        found = torch.from_numpy(arrays[f"train_0003/{name}"]).float()
        assert (found == found.T).all()
        assert {*found.unique().tolist()} <= {round(255 * step / 23) for step in range(24)}
        wanted = rows / (rows.diagonal()[:, None] if name == "seam" else rows.max())
        assert (found / 255 - wanted).abs().max() <= 0.5 / 23 + 0.5 / 255 + 1e-5
    assert about["walks"]["clip_es"] == {"kind": "likeness", "steps": 2}
    assert {*about["shares"]["train_0003"]} == {*about["walks"]}
