"""Published gains beside ours: the dots are the data, and few of them have no correlation."""

import json

import discussion_figures as figures
import numpy as np
import pytest
from measured import error_of

from wsss_lib import survey
from wsss_lib.recipes import chain


def dots(axis):
    """Place and half bar of each dot, and whether it is filled, by system."""
    found = {}
    for container in axis.containers:
        line, _, (bars,) = container.lines
        (low, high) = bars.get_segments()[0][:, 1]
        filled = str(line.get_markerfacecolor()) != "none"
        (x,), (y,) = line.get_data()
        found[container.get_label()] = (x, y, (high - low) / 2, filled)
    return found


def test_a_dot_for_each_system_that_has_both_gains(root):
    left, right = figures.published_figure().axes
    curves = {
        path.stem: json.loads(path.read_text())
        for path in (root / "results" / "curves").glob("*/*.json")
    }
    seeds = {seed.system: seed for seed in survey.seeds()}
    shown = dots(left)
    assert set(shown) == set(seeds) & set(curves)
    for id, (x, y, error, filled) in shown.items():
        curve = curves[id]
        gains = [run["gain"] for run in curve["runs"] if run["dose"] == curve["home"]]
        assert x == pytest.approx(seeds[id].seed - seeds[id].cam)
        assert (y, error) == pytest.approx((np.mean(gains), error_of(gains)))
        assert filled == (seeds[id].cam_of == id)
    runs = {
        id: json.loads((root / f"results/standard/{id}.json").read_text())["runs"]
        for id in ("cam", *dots(right))
    }
    for id, (x, y, error, _) in dots(right).items():
        gains = [100 * (a["miou"] - b["miou"]) for a, b in zip(runs[id], runs["cam"], strict=True)]
        assert x == pytest.approx(seeds[id].gain)
        assert (y, error) == pytest.approx((np.mean(gains), error_of(gains)))


def test_names_lie_off_the_lines_of_no_gain_and_of_equal_gains_and_off_each_other():
    figure = figures.published_figure()
    figure.draw_without_rendering()
    for axis in figure.axes:
        names = [text for text in axis.texts if text.get_text() != "equal"]
        assert len(names) == len(dots(axis))
        boxes = [axis.transData.inverted().transform_bbox(n.get_window_extent()) for n in names]
        for number, (name, box) in enumerate(zip(names, boxes, strict=True)):
            assert not box.y0 < 0 < box.y1, name
            assert not box.count_overlaps(boxes[:number]), name
            assert axis is figure.axes[0] or not (box.x0 < box.y1 and box.x1 > box.y0), name


def test_the_spread_within_leaves_is_that_of_the_table():
    said = figures.spread_within_leaves().data
    one_stage = [
        line.val for line in survey.reported("table1") if line.system in ("rrm", "onestage")
    ]
    assert f"between {max(one_stage) - min(one_stage):.1f} and" in said


def test_colours_and_shapes_tell_families_apart():
    leaves = figures.leaves_of("table1")
    styles = [figures.style_of(leaf) for leaf in leaves]
    assert len({str(style["color"]) for style in styles}) == len(leaves)
    assert len({style["marker"] for style in styles}) == len(leaves)


def test_few_systems_have_no_correlation_and_many_have_one_with_its_interval():
    pairs = [(float(k), float(k)) for k in range(figures.ENOUGH)]
    assert "none is printed" in figures.agreement_text(pairs[1:])
    text = figures.agreement_text(pairs)
    assert "is 1.00; " in text
    assert "between 1.00 and 1.00" in text
    falling = figures.agreement_text([(x, -y) for x, y in pairs])
    assert "is −1.00" in falling
    mixed = figures.agreement_text([(x, (3 * y) % 8) for x, y in pairs])
    assert "between −" in mixed


def test_who_is_left_out_is_counted():
    text = figures.who_is_left_out().data
    systems = [one for one in survey.systems() if one.family.startswith("image_level")]
    assert f"{len(systems)} systems" in text
    assert f"other {len(systems) - len(survey.seeds())}" in text
    waiting = [one.seed.system for one in figures.published() if one.home is None]
    assert all(survey.find_cards()[id].name in text for id in waiting)
    places = figures.where_seeds_stand().data
    assert all(f"[{seed.read}]({seed.source})" in places for seed in survey.seeds())


def test_offline_systems_carry_the_network_that_they_leave_to_others():
    found = {one.name: one for one in figures.taken()}
    cards = survey.find_cards()
    for id in ("affinitynet", "onestage", "toco", "ae_psl"):
        one = found[cards[id].name]
        assert (one.network > 0) == (chain(id)[-1] == "segmenter")
        assert one.online == (id in {"onestage", "toco"})
    assert found["AffinityNet"].own > found["CAM"].own
    assert found["AffinityNet"].network == pytest.approx(found["CAM"].network)
    bars = figures.hours_figure().axes[0]
    assert len(bars.get_yticks()) == len(found)


def test_seconds_of_a_chain_are_those_of_all_its_stages(root):
    rows = [line.split("|")[1:-1] for line in figures.seconds_table().data.splitlines()[2:]]
    cells = {row[0].strip(): [cell.strip() for cell in row[1:]] for row in rows}
    training, parts, total, memory, miou = cells["CAM → segmenter taught by CAM labels"]
    stored = [
        json.loads((root / f"results/standard/{id}.json").read_text())
        for id in ("cam", "segmenter_cam")
    ]
    seconds = [float(np.median([run["seconds"] for run in one["runs"]])) for one in stored]
    assert training == "offline"
    assert parts == " + ".join(f"{value:.0f}" for value in seconds)
    assert int(total) == pytest.approx(sum(seconds), abs=0.6)
    most = max(one["summary"]["peak_memory_mb"]["mean"] for one in stored)
    assert int(memory) == pytest.approx(most, abs=0.6)
    assert float(miou) == pytest.approx(stored[1]["summary"]["val_miou"]["mean"], abs=6e-4)
    assert cells["1-stage WSSS"][0] == "online"
    measured = {path.stem for path in (root / "results" / "standard").glob("*.json")}
    online = {one.id for one in survey.systems() if one.family == figures.ONLINE}
    assert sum(cell[0] == "online" for cell in cells.values()) == len(online & measured)
