"""Closer looks at what a curve leaves open: boats and water, cuts of strokes, settings."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

import experiments.boats
import experiments.contenders
import experiments.cuts
import experiments.rates
from experiments.boats import BOAT, CLASSIFIERS
from experiments.contenders import Place, PlainClip
from experiments.doses import FAMILIES, FEWEST, Dose
from wsss_lib.blocks.maps.class_maps import min_max, normalize
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.toy import write_toy
from wsss_lib.evaluate import evaluate
from wsss_lib.methods.foundation.clip_es import ClipES
from wsss_lib.methods.image_level.affinity.sec import SEC
from wsss_lib.nets.heads.memory import Aggregation


class SaysBoat(nn.Module):
    """A map of boats that is as high as the images are red."""

    def class_maps(self, image):
        return image[:, :1].expand(-1, 6, -1, -1)


@pytest.fixture(scope="module")
def shore(tmp_path_factory):
    """Enough pictures that boats are on water and on land, and water is without boats."""
    dose = FAMILIES["cooccurrence"].doses[0]
    root = write_toy(
        tmp_path_factory.mktemp("shore") / "world", 0, "standard", 40, 128,
        knobs=dose.knobs, progress=False,
    )  # fmt: skip
    return SimpleNamespace(
        train=SegmentationFolder(root, "train"), val=SegmentationFolder(root, "val")
    )


def boats_of(data, id, share):
    """Scores of a system that finds so much of a boat, from the top, and nothing else."""
    scores = torch.zeros(6, 64, 64)
    boat = data.mask(id) == BOAT + 1
    found = boat.nonzero()[: round(share * int(boat.sum()))]
    scores[BOAT, found[:, 0], found[:, 1]] = 1.0
    return scores


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_what_is_called_boat_is_counted_over_pictures_with_boats(shore, share):
    scores = {id: boats_of(shore.train, id, share) for id in shore.train.ids}
    found = experiments.boats.look(SimpleNamespace(scores=scores, method=SaysBoat()), 0.5, shore)
    assert found["precision"] == 1
    assert found["recall"] == pytest.approx(share, abs=0.01)
    assert found["iou"] == pytest.approx(share, abs=0.01)


def test_logits_are_means_over_pictures_sorted_by_boat_and_water(shore):
    scores = {id: torch.zeros(6, 64, 64) for id in shore.train.ids}
    found = experiments.boats.look(SimpleNamespace(scores=scores, method=SaysBoat()), 0.5, shore)
    assert found["precision"] == found["recall"] == found["iou"] == 0
    red, alone = [], []
    for id in shore.val.ids:
        boat, water = bool(shore.val.tags(id)[BOAT]), "on the water" in shore.val.caption(id)
        if water:
            (red if boat else alone).append(float(shore.val.image(id)[0].mean()))
    assert red
    assert alone
    assert found["logit_boat_on_water"] == pytest.approx(sum(red) / len(red), rel=1e-4)
    assert found["logit_water_alone"] == pytest.approx(sum(alone) / len(alone), rel=1e-4)
    pairs = [(one > other) + (one == other) / 2 for one in red for other in alone]
    assert found["auc_on_water"] == pytest.approx(sum(pairs) / len(pairs), abs=1e-4)


def test_scissors_that_never_slip_cut_along_the_masks(tiny):
    place = Place(0, Dose(0.0), tiny / "runs")
    seen = []

    def keep(method, supervision, scores):
        seen.append((method.threshold, supervision, scores))

    spy = SimpleNamespace(make=place.make, train=place.train, run=keep)
    CLASSIFIERS["cda_masks"][0](spy)
    threshold, supervision, scores = seen[0]
    assert (threshold, supervision) == (0.5, ("tags",))
    for id in place.train.ids:
        mask = place.train.mask(id)
        for c in range(6):
            assert torch.equal(scores[id][c] > threshold, mask == c + 1)


class Knows(nn.Module):
    """A network that answers with masks, or takes ground and objects for each other."""

    def __init__(self, data, right):
        super().__init__()
        self.answers = {}
        for id in data.ids:
            mask = data.mask(id)
            answer = mask if right else (mask == 0) * mask.max()
            self.answers[data.image(id).sum().item()] = answer

    def net(self, image):
        labels = self.answers[image[0].sum().item()]
        return 20 * nn.functional.one_hot(labels, 7).permute(2, 0, 1)[None].float()


def test_a_cut_hears_of_the_network_only_where_it_has_a_say(tiny, monkeypatch):
    place = Place(0, FAMILIES["scribble"].doses[0], tiny / "runs")
    found = {}
    for right in (True, False):
        stage = SimpleNamespace(method=Knows(place.train, right))
        monkeypatch.setattr(experiments.cuts, "contend", lambda name, place, it=stage: it)
        found[right] = experiments.cuts.look(place)
    assert found[True]["network"] == 1
    assert found[True]["strokes"] == found[False]["strokes"]
    assert found[True]["strokes_and_network"] > found[True]["strokes"] + 0.1
    assert found[False]["strokes_and_network"] < found[False]["strokes"] - 0.1


def test_cuts_are_looked_at_at_every_length(tiny, monkeypatch):
    monkeypatch.setattr(experiments.cuts, "OUT", tiny / "cuts.json")
    monkeypatch.setattr(experiments.cuts, "look", lambda place: {"strokes": place.world})
    experiments.cuts.main(tiny / "runs")
    runs = json.loads((tiny / "cuts.json").read_text())["runs"]
    lengths = [dose.value for dose in FAMILIES["scribble"].doses]
    assert [run["length"] for run in runs] == [one for one in lengths for _ in range(FEWEST)]
    assert [run["world"] for run in runs] == list(range(FEWEST)) * len(lengths)


def test_settings_are_looked_at_one_by_one_and_added_to_the_record(tiny, monkeypatch):
    rates = experiments.rates
    monkeypatch.setattr(rates, "RECORD", tiny / "rates.json")
    monkeypatch.setattr(rates, "WALKS", (0, 4))
    monkeypatch.setattr(rates, "POWERS", (4.0,))
    monkeypatch.setattr(rates, "SOFTER", (1.0, 0.25))
    monkeypatch.setattr(rates, "TUNING_WORLD", 0)
    rates.main(["affinitynet"], None, tiny / "runs")
    rates.main(["clip_es"], None, tiny / "runs")
    rates.main(["saliency", "i2crc"], None, tiny / "runs")
    record = json.loads((tiny / "rates.json").read_text())
    walks, rivals, cuts, weights = record["entries"]
    assert len(set(weights["miou"].values())) == len(rates.WEIGHTS)
    assert list(walks["miou"]) == ["0 steps, power 4", "4 steps, power 4"]
    assert len(set(rivals["miou"].values())) == 5, "a setting that changes nothing was not set"
    place = Place(0, Dose(0.0), tiny / "runs")
    view = place.view(("saliency",))
    shows = torch.stack([view[n].saliency[0, 0] > 0.2 for n in range(len(view))])
    there = torch.stack([place.train.mask(id) for id in view.ids])
    both = (shows & (there > 0) & (there < 255)).sum()
    either = ((shows | (there > 0)) & (there < 255)).sum()
    assert cuts["miou"]["cut at 0.2"] == pytest.approx(float(both / either), abs=1e-4)
    asked = experiments.contenders.contend("clip_rivals", place)
    assert rivals["miou"]["rivals, temperature times 1"] == pytest.approx(
        rates.best(asked.scores, place), abs=1e-4
    )
    assert rivals["signed"].keys() == rivals["empty"].keys() == {"plain logits", "rivals"}
    for name, of in (("plain logits", "clip_logits"), ("rivals", "clip_rivals")):
        stored = experiments.contenders.contend(of, place).scores
        tags = {id: place.train.tags(id) > 0 for id in stored}
        peaks = torch.cat([stored[id][tags[id]].amax(dim=(1, 2)) for id in stored])
        empty = float((peaks == 0).float().mean())
        assert rivals["empty"][name] == pytest.approx(empty, abs=1e-4)
    assert rates.best(asked.scores, place) >= evaluate(asked.scores, place.train, 0.3).miou


def test_the_crf_of_boxes_is_looked_at_on_few_images(tiny, monkeypatch):
    rates = experiments.rates
    monkeypatch.setattr(rates, "RECORD", tiny / "crf.json")
    monkeypatch.setattr(rates, "TUNING_WORLD", 0)
    monkeypatch.setattr(rates, "APPEARANCES", ((3.0, 8.0, 8.0), (10.0, 16.0, 8.0)))
    rates.main(["bbox_seg"], None, tiny / "runs")
    (entry,) = json.loads((tiny / "crf.json").read_text())["entries"]
    assert entry["images"] == round(len(Place(0, Dose(0.0), tiny / "runs").train) / 8)
    assert list(entry["miou"]) == ["weight 3, 8 pixels, 8 levels", "weight 10, 16 pixels, 8 levels"]
    assert len(set(entry["miou"].values())) == 2


def test_one_training_is_asked_for_each_of_its_answers(tiny, monkeypatch):
    rates = experiments.rates
    monkeypatch.setattr(rates, "RECORD", tiny / "answers.json")
    monkeypatch.setattr(rates, "TUNING_WORLD", 0)
    rates.main(["mcis", "edam"], None, tiny / "runs")
    place = Place(0, Dose(0.0), tiny / "runs")
    for entry in json.loads((tiny / "answers.json").read_text())["entries"]:
        stage = experiments.contenders.contend(entry["system"], place)
        own = stage.method.answer
        assert len(entry["miou"]) == len(set(entry["miou"].values())) == 2
        assert entry["miou"][own] == pytest.approx(rates.best(stage.scores, place), abs=1e-5)


def test_a_memory_is_asked_by_cosines_and_by_products(tiny, monkeypatch):
    rates = experiments.rates
    monkeypatch.setattr(rates, "RECORD", tiny / "memory.json")
    monkeypatch.setattr(rates, "TUNING_WORLD", 0)
    rates.main(["rca"], None, tiny / "runs")
    (entry,) = json.loads((tiny / "memory.json").read_text())["entries"]
    assert entry["miou"].keys() == {"cosines", "products"}
    runs = (tiny / "runs" / "standard").glob("run_world_0_*/0_rca_*")
    assert len({path.name for path in runs}) == 2, "or one of them was never trained"


def test_messages_are_left_out_where_boats_are_rare(tiny, monkeypatch):
    rates = experiments.rates
    monkeypatch.setattr(rates, "RECORD", tiny / "messages.json")
    monkeypatch.setattr(rates, "TUNING_WORLD", 0)
    monkeypatch.setattr(rates, "RARE", (Dose(0.0),))
    rates.main(["gwsm"], None, tiny / "runs")
    (entry,) = json.loads((tiny / "messages.json").read_text())["entries"]
    place = Place(0, Dose(0.0), tiny / "runs")
    for name, system in (("messages", "gwsm"), ("CAM in triples", "cam_triples")):
        scores = experiments.contenders.contend(system, place).scores
        curve = evaluate(scores, place.train, 0.5).curve
        found = evaluate(scores, place.train, int(np.nanargmax(curve)) / 100)
        assert entry["miou"][name] == pytest.approx(found.miou, abs=1e-4)
        assert entry["boat_iou"][name] == pytest.approx(found.iou[BOAT + 1], abs=1e-4)
    assert len(set(entry["miou"].values())) == 4, "a setting that changes nothing was not set"


def test_products_are_not_divided_by_lengths():
    torch.manual_seed(0)
    one, other = Aggregation(3, 2), experiments.rates.Products(3, 2)
    other.load_state_dict(one.state_dict())
    features, centres = torch.randn(1, 3, 2, 2), torch.randn(2, 2, 3)
    for scale in (1.0, 10.0):
        mixed = one.mix.weight[:, 3:, 0, 0] @ one.back.weight[:, :, 0, 0]
        bare = torch.einsum("ed,bdhw->behw", one.mix.weight[:, :3, 0, 0], features)
        taken = torch.zeros_like(features)
        for m in centres.flatten(0, 1) * scale:
            like = torch.einsum("d,bdhw->bhw", one.key(m), one.query(features))
            taken += like[:, None] / 4 * (mixed @ one.value(m))[:, None, None]
        torch.testing.assert_close(other(features, centres * scale), bare + taken)
    assert not torch.allclose(one(features, centres), other(features, centres))


def test_weights_of_the_colours_are_looked_at_and_their_gradient_once(tiny, monkeypatch):
    rates = experiments.rates
    monkeypatch.setattr(rates, "RECORD", tiny / "rates.json")
    monkeypatch.setattr(rates, "HOLDS", (1.0, 30.0))
    monkeypatch.setattr(rates, "TUNING_WORLD", 0)
    run, asked = Place.run, []

    def watched(place, method, supervision, scores=None):
        if supervision == ("tags",) and scores is not None:
            asked.append((type(method).__name__, method.weight))
        return run(place, method, supervision, scores)

    monkeypatch.setattr(Place, "run", watched)
    rates.main(["sec", "dsrg"], None, tiny / "runs")
    sec, dsrg = json.loads((tiny / "rates.json").read_text())["entries"]
    assert [*dsrg["miou"]] == ["weight 1", "weight 30"]
    assert [*sec["miou"]] == [*dsrg["miou"], "weight 10, with a gradient"]
    assert asked == [("SEC", 1), ("SEC", 30), ("Through", 10), ("DSRG", 1), ("DSRG", 30)]
    place = Place(0, Dose(0.0), tiny / "runs")
    method = place.make(SEC)
    method.weight = 30.0
    stage = run(place, method, ("tags",), experiments.contenders.contend("cam", place).scores)
    found = evaluate(stage.scores, place.train, 0.5).figures()
    for name in ("miou", "boundary_iou"):
        assert sec[name]["weight 30"] == pytest.approx(found[name], abs=1e-5)


def test_a_gradient_runs_through_the_refinement_where_it_is_asked_for():
    torch.manual_seed(0)
    image, kinds = torch.rand(1, 3, 64, 64), (SEC, experiments.rates.Through)
    assert [kind.toy(2).answers(image)[1].requires_grad for kind in kinds] == [False, True]


def test_rectifying_a_signed_map_gives_the_map_that_is_stored():
    torch.manual_seed(0)
    image, tags = torch.rand(2, 3, 64, 64), torch.tensor([[1.0, 1, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0]])
    for kind in (PlainClip, ClipES):
        method = kind.toy(6)
        method.layers = 0
        found = experiments.rates.signed(method, image, tags)
        assert (found < 0).any()
        assert not found[tags == 0].any()
        torch.testing.assert_close(
            min_max(normalize(found, eps=1e-12)), method.class_maps(image, tags), atol=1e-4, rtol=0
        )
