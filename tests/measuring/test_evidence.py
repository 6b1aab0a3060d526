"""Systems, floors and controls at the doses of a failure: what is measured, and how it is read."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

import experiments.doses
import experiments.evidence
from experiments.contenders import (
    MAKERS,
    TAUGHT,
    DetectedBoxes,
    Maker,
    Place,
    PlainClip,
    SalientCAM,
    TagsNetwork,
    Unguided,
    VisualTokens,
    card_of,
    contend,
    taught_by,
    threshold_of,
)
from experiments.doses import FAMILIES, FEWEST, MOST, RESPONSES, STANDARD, Dose, measured_in
from experiments.evidence import (
    USUAL,
    Row,
    assemble,
    gains,
    measure,
    protocol_of,
    response,
    rows_of,
)
from experiments.panoptic import panoptic_figures
from wsss_lib.blocks.maps.class_maps import to_labels
from wsss_lib.blocks.refine.pamr import pamr
from wsss_lib.core import Batch
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.toy import VARIANTS
from wsss_lib.data.weak import Annotator, objects_from_mask
from wsss_lib.methods.foundation.clip_es import ClipES
from wsss_lib.methods.foundation.mmcst import MMCST
from wsss_lib.methods.image_level.cam.cam import CAM
from wsss_lib.methods.point.whats_the_point import WhatsThePoint
from wsss_lib.methods.scribble.bpg import BPG
from wsss_lib.survey import find_methods

NO_IDEA = {"cam", "bbox_rect", "pce", "pamr", "densecrf", "segmenter"}
"""Floors and parts of every pipeline."""


TWICE = {"grabcut", "bana", "box2seg"}
"""Systems of boxes, measured where objects do not fill them and where they are drawn carelessly."""


def test_every_system_is_measured_beside_a_control_in_one_family_or_two():
    measured = [id for family in FAMILIES.values() for id in family.controls]
    assert sorted(measured) == sorted([*(set(find_methods()) - NO_IDEA), *TWICE])
    assert measured_in("grabcut") == [
        ("box", "bbox_rect", "box"),
        ("box_jitter", "bbox_rect", "box_jitter"),
    ]
    controls = {control for family in FAMILIES.values() for control in family.controls.values()}
    # Systems whose variations stand beside them.
    hosts = {"oaa", "seam", "rrm", "rloss", "extreme_clicking"}
    assert controls <= {*MAKERS, *NO_IDEA, *hosts}
    assert measured_in("cse") == [("erasing", "cam_600", "erasing")]


@pytest.mark.parametrize("name", FAMILIES)
def test_doses_can_be_had_and_one_is_home(name):
    family = FAMILIES[name]
    assert family.response in RESPONSES
    assert len({Row("cam", dose, 0).where for dose in family.doses}) == len(family.doses) == 3
    assert len({dose.value for dose in family.doses}) == 3
    for number, dose in enumerate(family.doses):
        VARIANTS[dose.variant].turned(dose.knobs)
        assert dose.variant == family.variant
        Annotator(**dose.annotator)
        assert len(family.worlds(number)) == (MOST if number == family.home else FEWEST)


def test_a_system_needs_its_control_at_every_dose_and_the_table():
    rows = rows_of("cse")
    assert [row.name for row in rows[:2]] == ["cam_600", "cse"]
    assert rows[0].dose == FAMILIES["erasing"].doses[1], "the home dose comes first"
    assert len(rows) == 2 * (MOST + 2 * FEWEST) + STANDARD
    assert {row.where for row in rows[-STANDARD:]} == {"standard"}
    assert len(rows_of("cam_600")) == STANDARD


def test_controls_of_ensembles_lack_the_idea_alone(tiny):
    """The same looks as OAA has; FickleNet's network, of which every draw is the same."""
    place = Place(0, USUAL, tiny / "runs")
    once, oaa = contend("cam_once", place).method, place.make(find_methods()["oaa"])
    assert (once.recipe.flip, once.recipe.shift) == (oaa.recipe.flip, oaa.recipe.shift)
    assert (once.scales, once.flip, once.recipe.steps) == ((1.0,), False, oaa.recipe.steps)
    whole = contend("undropped", place).method.eval()
    image = place.train.image(place.train.ids[0])[None]
    with torch.no_grad():
        parts = whole.parts(image)
        first, second = (whole.draw(parts, 1) for _ in range(2))
    assert torch.equal(first, second)
    assert whole.passes == 1
    close, far = contend("undilated", place).method, place.make(find_methods()["mdc"])
    assert {branch.dilation for branch in close.branches} == {(1, 1)}
    assert close.recipe == far.recipe
    assert close.scales == far.scales
    shapes = [[weight.shape for weight in one.parameters()] for one in (close, far)]
    assert shapes[0] == shapes[1]


def test_two_networks_without_their_idea_have_the_labels_and_steps_of_beco(tiny):
    place = Place(0, USUAL, tiny / "runs")
    alone, beco = contend("two_segmenters", place), contend("beco", place)
    assert (alone.method.share, alone.method.mixed) == (1.0, 0.0)
    assert alone.method.recipe == beco.method.recipe
    assert alone.method.threshold == beco.method.threshold == threshold_of("pamr", place.folder)
    assert card_of("two_segmenters") == beco.method.card


def test_clicks_alone_have_the_network_labels_and_steps_of_pdml(tiny):
    """Neither compared nor extended, from the first step to the last."""
    place = Place(0, USUAL, tiny / "runs")
    alone, pdml = contend("point_pce", place).method, contend("pdml", place).method
    assert alone.recipe == pdml.recipe
    assert card_of("point_pce") == pdml.card
    assert (alone.weight, pdml.weight) == (0.0, 1.0)
    assert alone.start > 1 > pdml.start
    shapes = [[weight.shape for weight in one.parameters()] for one in (alone, pdml)]
    assert shapes[0] == shapes[1]


def test_what_beco_is_without_one_of_its_ideas_keeps_the_other(tiny):
    place = Place(0, USUAL, tiny / "runs")
    beco = contend("beco", place).method
    settings = {
        name: (one.share, one.mixed)
        for name in ("beco_no_asking", "beco_no_pasting")
        for one in [contend(name, place).method]
    }
    assert settings == {"beco_no_asking": (1.0, beco.mixed), "beco_no_pasting": (beco.share, 0.0)}
    assert beco.share < 1
    assert beco.mixed > 0


def test_a_system_that_needs_scores_has_them_when_it_is_asked_again(tiny):
    place = Place(0, USUAL, tiny / "runs")
    bare, whole = (contend(name, place) for name in ("benet_as_walked", "benet"))
    name = place.train.ids[0]
    refined = pamr(place.train.image(name)[None], bare.scores[name][None].float(), (1, 2, 4))
    assert torch.allclose(refined[0], whole.scores[name].float(), atol=0.02)
    assert not torch.allclose(bare.scores[name].float(), whole.scores[name].float(), atol=0.1)


def test_two_stages_of_afa_have_its_networks_and_together_its_steps(tiny):
    place = Place(0, USUAL, tiny / "runs")
    afa, second = place.make(find_methods()["afa"]), contend("two_stages_mit", place).method
    first = contend("cam_mit_150", place).method
    assert second.threshold == threshold_of("cam_mit_150", place.folder)
    for one, part in ((first.backbone, afa.backbone), (second.net.decoder, afa.net.decoder)):
        shapes = [[weight.shape for weight in net.parameters()] for net in (one, part)]
        assert shapes[0] == shapes[1]
    assert isinstance(second.backbone, type(first.backbone))
    assert {first.recipe.lr, second.recipe.lr} == {afa.recipe.lr}


def test_a_network_with_saliency_for_labels_has_all_of_mdba_but_its_ideas(tiny):
    place = Place(0, USUAL, tiny / "runs")
    alone, mdba = contend("saliency_labels", place).method, place.make(find_methods()["mdba"])
    assert (alone.mixed, alone.fool) == (0.0, 0.0)
    assert alone.denoise[0] > 1, "all labels are believed to the end"
    assert alone.recipe == mdba.recipe
    assert alone.salient == mdba.salient
    shapes = [[weight.shape for weight in one.parameters()] for one in (alone, mdba)]
    assert shapes[0] == shapes[1]


def test_connected_regions_have_the_clicks_and_the_steps_of_panoptic_fcn(tiny):
    dose = FAMILIES["panoptic"].doses[2]
    place = Place(0, dose, tiny / "runs")
    stages = {name: contend(name, place) for name in ("connected_components", "panoptic_fcn_point")}
    control, system = (stage.method.cpu().eval() for stage in stages.values())
    assert replace(control.recipe, lr=system.recipe.lr) == system.recipe, "each at its own rate"
    assert control.things == system.reading.things
    assert VARIANTS["scenes"].classes[control.things[0] - 1] == "bus"
    shown = [place.view(one.card.supervision)[0] for one in (control, system)]
    assert torch.equal(shown[0].points[0], shown[1].points[0])
    assert shown[0].objects is None
    batch = place.view(("points",))[0]
    with torch.no_grad():
        classes, objects = control.panoptic(batch)
        said = to_labels(control.predict(batch), 0.5)
    assert torch.equal(classes, said)
    wanted = objects_from_mask(classes[0].where(classes[0] >= control.things[0], 0))
    assert torch.equal(objects[0], wanted)
    for method in (control, system):
        found = panoptic_figures(method, place.val)
        assert 0 <= found["pq"] <= 1
        assert len(found["pq_each"]) == 12


def test_panoptic_quality_is_one_for_the_truth_and_clutter_is_void(tiny):
    data = Place(0, FAMILIES["panoptic"].doses[2], tiny / "runs").val

    class Knows:
        def panoptic(self, batch):
            parts = [(data.mask(id), data.layer("SegmentationObject", id)) for id in batch.ids]
            # What it says of clutter does not matter.
            classes = torch.stack([mask.where(mask > 0, 1) for mask, _ in parts])
            return classes, torch.stack([objects for _, objects in parts])

    found = panoptic_figures(Knows(), data)
    assert (found["pq"], found["pq_things"], found["pq_stuff"]) == (1, 1, 1)

    class OneObject(Knows):
        def panoptic(self, batch):
            classes, objects = super().panoptic(batch)
            return classes, objects.clamp(max=0)

    assert panoptic_figures(OneObject(), data)["pq_stuff"] == 1
    row = {"pq": 0.25, "miou": 0.5}
    assert response(FAMILIES["panoptic"], row, {}) == 0.25


def test_controls_between_images_see_what_their_systems_see(tiny):
    """As many images in a row share a class; nothing else differs from CAM."""
    place = Place(0, USUAL, tiny / "runs")
    looks = {
        "mcis": (
            "cam_pairs_at_one_size",
            (1.0,),
        ),  # sees no other size
        "edam": ("cam_pairs", (1.0, 1.5)),
        "gwsm": ("cam_triples", (1.0, 1.5)),
    }
    for id, (name, scales) in looks.items():
        control, system = contend(name, place).method, place.make(find_methods()[id])
        assert FAMILIES["across_images"].controls[id] == name
        assert control.recipe == system.recipe
        assert (control.scales, control.flip) == (scales, True)


def test_one_draw_is_of_the_weights_that_were_trained(tiny):
    place = Place(0, USUAL, tiny / "runs")
    trained = contend("ficklenet", place).method.cpu().state_dict()
    for name, rate in (("ficklenet_whole", 0.0), ("ficklenet_once", 0.7)):
        asked = contend(name, place).method.cpu()
        assert (asked.rate, asked.passes) == (rate, 1)
        assert all(torch.equal(trained[key], value) for key, value in asked.state_dict().items())


def test_scores_come_from_the_stage_that_a_recipe_names(tiny, monkeypatch):
    """OAA+ is taught by the memory of OAA, its control, and not by CAM."""
    taught, run = {}, Place.run

    def watched(place, method, supervision, scores=None):
        taught[method.card.id] = scores and scores.made_by
        return run(place, method, supervision, scores)

    monkeypatch.setattr(Place, "run", watched)
    place = Place(0, USUAL, tiny / "runs")
    contend("oaa_plus", place)
    assert taught == {"oaa": None, "oaa_plus": contend("oaa", place).folder.name}


def test_former_controls_keep_their_curves(tiny, monkeypatch):
    monkeypatch.setattr(experiments.doses, "MOST", 2)
    monkeypatch.setattr(experiments.doses, "FEWEST", 1)
    family = FAMILIES["ensemble"]
    for number, dose in enumerate(family.doses):
        for world in family.worlds(number):
            for name in ("oaa", "cam", "cam_once"):
                measure(Row(name, dose, world), tiny / "runs")
    assemble("oaa")
    for folder, control in (("ensemble", "cam_once"), ("ensemble/former", "cam")):
        curve = json.loads((tiny / "results" / "curves" / folder / "oaa.json").read_text())
        assert curve["control"] == control
        assert len(curve["runs"]) == 4


def test_responses_are_read_where_the_control_is_as_precise():
    def row(threshold, precision, body):
        curve = {"precision": precision, "body_recall": body}
        return {
            "threshold": threshold,
            "curves": {n: np.repeat(v, [50, 51]) for n, v in curve.items()},
        }

    control = row(0.2, [0.6, 0.9], [0.5, 0.1])
    erasing = FAMILIES["erasing"]
    assert response(erasing, row(0.9, [0.5, 0.7], [0.8, 0.4]), control) == 0.4
    assert response(erasing, row(0.9, [0.6, 0.7], [0.8, 0.4]), control) == 0.8
    assert response(erasing, row(0.9, [0.5, 0.59], [0.8, 0.4]), control) == 0, "never so precise"
    figures = {"iou": [0.1, 0.2, 0.3, 0.4, 0.5], "miou": 0.6, "val_miou": 0.7}
    assert response(FAMILIES["cooccurrence"], figures, {}) == 0.4  # background, bus, cat, boat
    assert response(FAMILIES["box"], figures, {}) == 0.6
    assert response(FAMILIES["online"], figures, {}) == 0.7


def test_what_was_measured_is_kept_and_read_off(tiny, monkeypatch):
    monkeypatch.setattr(experiments.evidence, "STANDARD", 2)
    for world in range(2):
        assemble("cam")
        assert not (tiny / "results" / "standard").exists(), "the table shows no halves"
        measure(Row("cam", USUAL, world), tiny / "runs")
    kept = Row("cam", USUAL, 1).read()
    assert {"miou", "otsu_miou", "oracle_miou", "head_recall", "body_recall", "curves"} <= set(kept)
    assert len(kept["curves"]["precision"]) == 101
    assert kept["oracle_miou"] >= kept["miou"]
    rule = json.loads((tiny / "results" / "thresholds" / "cam.json").read_text())["rule"]
    assert rule == "masks of world 99"
    monkeypatch.setattr(experiments.evidence, "contend", None)
    measure(Row("cam", USUAL, 1), tiny / "runs")  # it is there: nothing is trained
    assemble("cam")
    table = json.loads((tiny / "results" / "standard" / "cam.json").read_text())
    assert [run["world"] for run in table["runs"]] == [0, 1]
    assert table["protocol"]["threshold_rule"] == "tuning"
    assert table["runs"][1]["miou"] == kept["miou"]


def test_a_curve_is_the_paired_gain_over_the_control_once_all_is_measured(tiny, monkeypatch):
    monkeypatch.setattr(experiments.doses, "MOST", 2)
    monkeypatch.setattr(experiments.doses, "FEWEST", 1)
    path = tiny / "results" / "curves" / "box" / "grabcut.json"
    family = FAMILIES["box"]
    rows = [row for row in rows_of("grabcut") if row.world < 2][:8]
    assert [row.where for row in rows[:4]] == ["standard"] * 4, "home comes first"
    for row in rows:
        assemble("grabcut")
        assert not path.exists()
        measure(row, tiny / "runs")
    assemble("grabcut")
    curve = json.loads(path.read_text())
    assert (curve["control"], curve["home"], curve["axis"]) == ("bbox_rect", 1, family.axis)
    assert [(run["dose"], run["world"]) for run in curve["runs"]] == [
        (0, 0),
        (1, 0),
        (1, 1),
        (2, 0),
    ]
    for run in curve["runs"]:
        dose = family.doses[run["dose"]]
        ours, theirs = (Row(n, dose, run["world"]).read() for n in ("grabcut", "bbox_rect"))
        assert run["gain"] == pytest.approx(ours["miou"] - theirs["miou"], abs=2e-5)


@pytest.mark.parametrize(
    ("name", "base", "gain"),
    [
        ("seam", "cam", "gain_over_cam"),
        ("affinitynet", "cam", "gain_over_cam"),
        ("whats_the_point", "cam", "gain_over_cam"),
        ("extreme_clicking", "bbox_rect", "gain_over_bbox_rect"),
        ("ncut_loss", "pce", "gain_over_pce"),
        ("segmenter_grabcut", "grabcut", "gain_over_labels"),
    ],
)
def test_the_table_has_paired_gains_over_the_floor_of_the_labels(tiny, name, base, gain):
    ours, floor = {0: {"miou": 0.5}, 1: {"miou": 0.6}}, {"0": {"miou": 0.4}, "1": {"miou": 0.3}}
    assert gains(name, ours) == {}, "the floor was not measured"
    path = Row(base, USUAL, 0).path
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(floor))
    found = gains(name, ours)
    assert found[gain]["mean"] == pytest.approx(0.2)
    assert found[gain]["sd"] == pytest.approx(0.1 * 2**0.5)
    assert ("labels_miou" in found) == name.startswith("segmenter")
    assert gains(base, ours) == {} or base == "grabcut"
    assert gains("ceiling", ours) == {}, "masks have no floor"


def test_networks_are_cut_at_one_half_and_scored_on_new_images(tiny, monkeypatch):
    place = Place(0, USUAL, tiny / "runs")
    assert threshold_of("tags_network", tiny / "runs") == 0.5
    monkeypatch.setitem(MAKERS, "two_stages", Maker(TAUGHT, taught_by("cam", 2)))
    stage = contend("two_stages", place)
    assert stage.method.threshold == threshold_of("cam", tiny / "runs")
    measure(Row("two_stages", USUAL, 0), tiny / "runs")
    assert 0 <= Row("two_stages", USUAL, 0).read()["val_miou"] <= 1


def test_a_dose_reaches_pictures_annotator_saliency_and_sentences(tiny):
    dose = Dose(1, {"two_tone": 1.0}, {"points_each": 3}, noise=0.3, rivals=0.5)
    place, usual = (Place(0, one, tiny / "runs") for one in (dose, USUAL))
    assert place.root != usual.root
    view = place.view(("points", "saliency"))
    assert view.annotator.points_each == 3
    assert (view[0].saliency != usual.view(("saliency",))[0].saliency).any()
    for kind in (ClipES, find_methods()["clims"]):
        told = len(usual.make(kind).text) - 6
        assert len(place.make(kind).text) == 6 + told / 2
    assert not hasattr(place.make(CAM), "text"), "the control hears of no sentence, and works"


def test_a_world_of_another_variant_has_folders_and_thresholds_of_its_own(tiny):
    """Folders of doses that were there before a variant could be chosen keep their names."""
    assert [dose.place for dose in FAMILIES["organs"].doses] == [
        "organs_overlap=0.0",
        "organs",
        "organs_overlap=0.8",
    ]
    assert Dose(0.3, {"two_tone": 1.0}, noise=0.1).place == "two_tone=1.0_noise=0.1"
    place = Place(0, Dose(0.5, variant="organs"), tiny / "runs")
    assert place.train.classes == VARIANTS["organs"].classes
    threshold_of("cam", tiny / "runs", "organs")
    kept = json.loads((tiny / "results" / "thresholds" / "cam_organs.json").read_text())
    assert kept["rule"] == "masks of world 99, organs"
    assert not (tiny / "results" / "thresholds" / "cam.json").exists()
    assert SegmentationFolder(tiny / "runs" / "organs" / "world_99", "train").classes[0] == "liver"


def test_c_cam_in_its_first_round_begins_like_c_cam_and_keeps_no_place(tiny):
    place = Place(0, USUAL, tiny / "runs")
    begins = [place.make(find_methods()["c_cam"]).state_dict() for _ in range(2)]
    assert all(torch.equal(begins[0][name], begins[1][name]) for name in begins[0])
    first = contend("first_round", place).method
    assert int(first.context.round) == 0
    assert not first.context.means.any()
    assert first.context.counts.any()  # it gathers masks, and no second round reads them


def test_cam_with_saliency_takes_the_background_from_it():
    torch.manual_seed(0)
    method = SalientCAM.toy(3).eval()
    image, saliency = torch.rand(2, 3, 64, 64), torch.rand(2, 1, 64, 64)
    batch = Batch(
        ("a", "b"), image=image, tags=torch.tensor([[1.0, 1, 0], [0, 0, 1]]), saliency=saliency
    )
    with torch.no_grad():
        scores, maps = method.predict(batch), CAM.predict(method, batch)
    seen = maps.amax(dim=1) > 0
    torch.testing.assert_close(scores.amax(dim=1)[seen], saliency[:, 0][seen])
    assert (scores.argmax(dim=1) == maps.argmax(dim=1))[seen & (saliency[:, 0] > 0)].all()
    assert (scores.amax(dim=1)[~seen] == 0).all()


def test_a_network_from_tags_hears_of_no_click():
    torch.manual_seed(0)
    method = TagsNetwork.toy(3)
    tags = torch.tensor([[1.0, 1, 0], [0, 0, 1]])
    points = [torch.tensor([[4, 5, 1], [9, 9, 2]]), torch.tensor([[7, 7, 3]])]
    batch = Batch(("a", "b"), image=torch.rand(2, 3, 64, 64), tags=tags)
    whole = replace(batch, points=points)
    terms = method.eval().loss(batch)
    expected = WhatsThePoint.loss(method, whole)
    assert set(terms) == {"image", "object"}
    for name, value in terms.items():
        torch.testing.assert_close(value, expected[name])


def test_an_unguided_network_refines_as_bpg_does_and_draws_no_edges():
    alone, bpg = Unguided.toy(3), BPG.toy(3)
    image, scribble = torch.rand(1, 3, 16, 16), torch.full((1, 16, 16), 255)
    scribble[0, 4, 2:9] = 1
    batch = Batch(("a",), image, scribble=scribble)
    assert set(alone.loss(batch)) == {"seg"}
    assert set(bpg.loss(batch)) == {"seg", "edge"}
    assert alone.recipe == bpg.recipe
    branch = {"perception", "boundary"}
    shapes = [
        {
            name: weight.shape
            for name, weight in method.net.named_parameters()
            if name.split(".")[0] not in branch and not name.endswith("mix.0.weight")
        }
        for method in (alone, bpg)
    ]
    assert shapes[0] == shapes[1]
    assert not card_of("unguided").needs


def test_plain_logits_have_no_rival():
    torch.manual_seed(0)
    method, image = PlainClip.toy(6), torch.rand(1, 3, 64, 64)
    both = torch.tensor([[1.0, 1, 0, 0, 0, 0]])
    alone = torch.tensor([[1.0, 0, 0, 0, 0, 0]])
    of_both, of_one = method.class_maps(image, both), method.class_maps(image, alone)
    torch.testing.assert_close(of_both[:, 0], of_one[:, 0])
    method.text = method.text[:6]
    torch.testing.assert_close(method.class_maps(image, alone), of_one)


def test_visual_tokens_are_mmcst_without_a_sentence():
    """The same network from the same weights; the tokens of the text are free, and CLIP is gone."""
    torch.manual_seed(0)
    full = MMCST.toy(3)
    torch.manual_seed(0)
    method = VisualTokens.toy(3)
    own, theirs = (dict(one.named_parameters()) for one in (method, full))
    assert set(own) - set(theirs) == {"text_tokens.own"}
    assert {name.split(".")[0] for name in set(theirs) - set(own)} == {"text_tokens"}
    assert all(torch.equal(own[name], theirs[name]) for name in set(own) & set(theirs))
    assert method.recipe == full.recipe
    assert (method.last, method.scales) == (full.last, full.scales)
    batch = Batch(("a", "b"), torch.rand(2, 3, 64, 64), torch.tensor([[1.0, 1, 0], [0, 0, 1]]))
    terms = method.loss(batch)
    sum(terms.values()).backward()
    assert set(terms) == {"tokens", "visual", "textual"}
    assert method.text_tokens.own.grad.any()
    assert method.eval().predict(batch).shape == (2, 3, 64, 64)


def test_boxes_of_the_detector_are_filled(monkeypatch):
    method = DetectedBoxes.toy(2)
    found = torch.tensor([[1.2, 2.0, 30.6, 40.0], [-3.0, 10.0, 9.0, 20.0]]), [1, 2]
    monkeypatch.setattr(DetectedBoxes, "boxes", lambda self, image, present: found)
    labels = method.labels(torch.rand(3, 64, 32), [0, 1])
    expected = torch.zeros(64, 32, dtype=torch.long)
    expected[2:40, 1:31] = 1
    expected[10:20, 0:9] = 2
    assert (labels == expected).all()
    monkeypatch.setattr(DetectedBoxes, "boxes", lambda *a: (torch.zeros(0, 4), []))
    assert (method.labels(torch.rand(3, 64, 32), [0]) == 0).all()


def test_protocols_are_those_of_the_cards():
    saliency, few = protocol_of("cam_saliency"), protocol_of("fifty_one_masks")
    assert saliency.supervision == ("tags", "saliency")
    assert saliency.needs, "somebody drew masks for the saliency network"
    assert few.supervision == ("masks",)
    assert few.threshold_rule == protocol_of("tags_network").threshold_rule == "argmax"
    assert protocol_of("segmenter_cam").labels_at_inference, "its scores know the tags"
    assert not protocol_of("pce").labels_at_inference


def test_a_network_of_few_masks_answers_for_all_images(tiny):
    place = Place(0, USUAL, tiny / "runs")
    stage = contend("fifty_one_masks", place)
    assert set(stage.scores) == set(place.train.ids)
