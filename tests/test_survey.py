"""The survey as data: complete, consistent, and honest about what is built."""

import csv
import re
from dataclasses import replace
from pathlib import Path

import pytest

from wsss_lib import survey
from wsss_lib.core import InputError
from wsss_lib.survey_rows import line_of, notes


def test_all_systems_are_there_once():
    systems = survey.systems()
    assert len(systems) == 79
    assert len({system.id for system in systems}) == 79
    assert all(system.name and system.authors and system.section for system in systems)
    assert all(2004 <= system.year <= 2023 for system in systems)


def test_what_is_built_has_one_name_everywhere():
    built = {system.id: system.name for system in survey.systems() if system.card}
    cards = {id: card.name for id, card in survey.find_cards().items()}
    assert built == {id: name for id, name in cards.items() if id in built}
    assert built["grounded_sam"] == "Grounded SAM"


def test_families_are_the_leaves_of_the_taxonomy_in_its_order():
    order = [*survey.FAMILIES]
    seen = [order.index(system.family) for system in survey.systems()]
    assert seen == sorted(seen)
    assert set(seen) == set(range(len(order)))


def test_every_card_is_found_and_sits_in_its_folder():
    methods = survey.find_methods()
    assert {"cam", "affinitynet", "pamr", "segmenter"} <= set(methods)
    for id, method in methods.items():
        assert method.card.id == id
        package = ".".join(["wsss_lib.methods", *method.card.family.split("/")])
        assert method.__module__.startswith(package + ".")


def test_cards_agree_with_the_survey():
    built = {system.id: system for system in survey.systems() if system.card}
    assert {"cam", "affinitynet"} <= set(built)
    for system in built.values():
        assert system.card is not None
        assert (system.card.family, system.card.year) == (system.family, system.year)


def test_a_system_that_is_not_built_has_no_card():
    unbuilt = [system for system in survey.systems() if system.card is None]
    cards = survey.find_cards()
    assert all(system.id not in cards for system in unbuilt)


def test_two_cards_with_one_id_are_refused(monkeypatch):
    from wsss_lib.methods.refine import pamr

    twin = replace(pamr.CARD, id="cam")
    monkeypatch.setattr(pamr, "CARD", twin)
    monkeypatch.setattr(pamr.PAMR, "card", twin)
    with pytest.raises(InputError, match="must be unique"):
        survey.find_methods()


def test_a_card_without_its_class_is_refused(monkeypatch):
    from wsss_lib.methods.refine import pamr

    monkeypatch.setattr(pamr, "CARD", replace(pamr.CARD, id="orphan"))
    with pytest.raises(InputError, match="one paper and one class"):
        survey.find_methods()


def test_tables_have_the_printed_number_of_lines():
    counts = [len(survey.reported(table)) for table in survey.TABLES]
    assert counts == [37, 20, 4]
    assert len(survey.reported()) == 61
    with pytest.raises(InputError, match="no table"):
        survey.reported("table4")


def test_reported_figures_are_as_printed():
    line = survey.reported_for("affinitynet")
    assert line is not None
    assert (line.val, line.test, line.backbone) == (61.7, 63.7, "ResNet38")
    toco = survey.reported_for("toco")
    assert toco is not None
    assert toco.test == 71.2  # a misprint; the correction stands in the errata
    assert survey.reported_for("cam") is None
    boxes = survey.reported_for("sdi")
    assert boxes is not None
    assert boxes.test is None


def test_a_figure_without_a_network_has_no_empty_brackets():
    lines = {id: survey.reported_for(id) for id in ("guided_labels", "eps", "rca")}
    assert {id: line.on_val for id, line in lines.items()} == {
        "guided_labels": "55.7", "eps": "71.0 (ResNet101)", "rca": "72.2",
    }  # fmt: skip
    assert replace(lines["eps"], val=None).on_val == "–"


def test_lines_and_errata_name_known_systems():
    known = {system.id for system in survey.systems()}
    assert {line.system for line in survey.reported()} <= known
    assert {entry.system for entry in survey.errata()} - {""} <= known
    fixes = [entry for entry in survey.errata() if entry.system == "toco"]
    assert [(entry.printed, entry.correct, entry.checked) for entry in fixes] == [
        ("71.2", "72.2", True)
    ]


def test_a_correction_differs_from_what_is_printed():
    for entry in survey.errata():
        assert entry.correct, entry
        assert entry.correct != entry.printed
        assert entry.evidence
        assert entry.checked != bool(re.search(r"memory of|abstract", entry.evidence)), entry


def test_copies_equal_the_shared_tables(shared):
    for name in survey.TABLES:
        ours = Path(survey.__file__).parent / "survey_data" / f"{name}.csv"
        theirs = shared / "survey" / "tables" / f"{name}.csv"
        assert ours.read_bytes() == theirs.read_bytes()
    with (shared / "survey" / "systems.csv").open() as file:
        pairs = {(row["id"], row["family"]) for row in csv.DictReader(file)}
    assert {(system.id, system.family) for system in survey.systems()} == pairs


def test_hidden_supervision_is_told_of_lines_of_the_tables_with_its_evidence():
    lines = {line.system for line in survey.reported()}
    hidden = survey.hidden()
    assert set(hidden) <= lines
    assert {"edam", "l2g", "ppc", "rca", "mcis", "gwsm", "eps", "mdba"} <= set(hidden)
    assert not {"irnet", "affinitynet", "seam", "sec"} & set(hidden)
    for id, entry in hidden.items():
        assert entry.system == id
        assert entry.what
        assert entry.enters
        assert entry.evidence
        assert entry.checked != ("memory" in entry.evidence), entry


def test_hidden_supervision_agrees_with_errata_and_cards():
    told = {entry.system for entry in survey.errata() if entry.what == "supervision"}
    assert told <= set(survey.hidden())
    cards = survey.find_cards()
    lines = {line.system for line in survey.reported()} & set(cards)
    # What a system needs here, its paper needed as well.
    assert {id for id in lines if cards[id].needs} <= set(survey.hidden())


def test_notes_say_what_lines_are_and_where_that_is_known_from():
    lines = {line.system for table in ("table2", "table3") for line in survey.reported(table)}
    known = {system.id for system in survey.systems()}
    assert set(notes()) <= lines
    assert {"wssl_em", "dextr", "panoptic_fcn_point", "clims", "grounded_sam"} <= set(notes())
    for id, entry in notes().items():
        assert entry.system == id
        assert len(entry.brief) <= 24
        assert entry.note.endswith(".")
        assert entry.ours in known
        assert entry.checked != bool(re.search(r"memory of|abstract", entry.evidence)), entry
    assert {id for id, entry in notes().items() if entry.ours != id} == {"wssl_em"}


def test_a_line_belongs_to_the_system_that_it_really_is():
    assert line_of("bbox_seg") == survey.reported_for("wssl_em")
    assert line_of("wssl_em") is None
    assert line_of("sdi") == survey.reported_for("sdi")
    assert line_of("affinitynet") == survey.reported_for("affinitynet")
    assert line_of("cam") is None


def test_published_seeds_name_systems_and_say_where_they_were_read():
    known = {system.id: system for system in survey.systems()}
    seeds = {seed.system: seed for seed in survey.seeds()}
    assert len(seeds) == len(survey.seeds())
    for id, seed in seeds.items():
        assert known[id].family.startswith("image_level")
        assert seed.cam_of in known
        assert 40 < seed.cam < seed.seed < 75
        assert seed.split == "VOC 2012 train"
        assert seed.source.startswith("https://")
        assert len(seed.read) > 20
        assert seed.gain == pytest.approx(seed.seed - seed.cam)
    hosts = {(seed.cam_of, seed.cam) for seed in seeds.values() if seed.cam_of == "irnet"}
    assert hosts == {("irnet", 48.3)}, "one map has one figure"


def test_what_came_after_says_what_it_needs_and_where_it_was_read():
    lines = survey.after()
    assert len({line.id for line in lines}) == len(lines)
    assert not {line.id for line in lines} & {system.id for system in survey.systems()}
    order = [[*survey.DIRECTIONS].index(line.direction) for line in lines]
    assert order == sorted(order)
    assert set(order) == set(range(len(survey.DIRECTIONS)))
    for line in lines:
        assert line.year >= 2024
        assert line.stages in ("one", "several")
        assert line.needs, "no figure stands without its supervision"
        assert line.source.startswith("https://")
        assert line.read
        assert all(60 < figure < 90 for figure in (line.val, line.test) if figure is not None)
    figures = {line.id: (line.val, line.test) for line in lines}
    assert figures["excel"] == (78.4, 78.5)
    assert figures["s2c"] == (None, None), "what its source does not print stays empty"


def test_lines_of_one_system_differ_in_what_they_are_compared_for():
    lines = {line.id: line for line in survey.after()}
    for one, other in (("dhr", "dhr_m2f"), ("dupl", "dupl_21k")):
        assert lines[one].source == lines[other].source
    assert lines["dhr"].needs == lines["dhr_m2f"].needs
    assert lines["dhr"].network != lines["dhr_m2f"].network
    assert lines["dupl"].network == lines["dupl_21k"].network
    assert lines["dupl"].needs != lines["dupl_21k"].needs


def test_large_models_say_what_they_learned_from():
    models = {model.model: model for model in survey.large_models()}
    assert [*models] == ["CLIP", "DINOv2", "DINOv3", "SAM", "SAM 2", "SAM 3"]
    for model in models.values():
        assert all((model.authors, model.learned, model.labels, model.read))
        assert model.source.startswith("https://")
    assert models["DINOv2"].labels == "none"
