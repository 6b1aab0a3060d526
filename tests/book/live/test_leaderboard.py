"""The leaderboard, moved in a real browser: its rows, their order and their figures."""

import json
from dataclasses import replace
from itertools import groupby

import numpy as np
import pytest
from leaderboard_figures import CONTROL, HIDDEN, LABELS, standard_leaderboard
from taxonomy_figures import taxonomy

from wsss_lib.core import InputError
from wsss_lib.show.live import Entry, live_leaderboard
from wsss_lib.show.picture import LABEL_COLOURS
from wsss_lib.survey import find_cards

pytestmark = pytest.mark.xdist_group("browser")
HEADS = [
    "system", "family", "label", "hidden", "mIoU", "gain at home", "seconds", "memory (MB)",
]  # fmt: skip
ENTRY = Entry("A", "", "x", "boxes", (), True, 0.5, 0.1, None, 1.0, 0.0)


@pytest.fixture(scope="module")
def results(root):
    """Contents of the result files of the standard world, by method."""
    found = [json.loads(path.read_text()) for path in (root / "results/standard").glob("*.json")]
    return {result["method"]: result for result in found}


@pytest.fixture(scope="module")
def curves(root):
    """Paired gains at the home dose by system, and what they count, from the result files."""
    found = [json.loads(path.read_text()) for path in (root / "results/curves").glob("*/*.json")]
    return {
        curve["system"]: (
            curve["response"],
            [run["gain"] for run in curve["runs"] if run["dose"] == curve["home"]],
        )
        for curve in found
    }


@pytest.fixture
def page(opened):
    """The page with the leaderboard, every system at a made-up address."""
    return opened(standard_leaderboard(lambda id: f"there.html#{id}" if id != "eps" else ""))


def rows(page):
    """Texts of all rows, cell by cell, and the ids that their names lead to."""
    return page.evaluate(
        """() => [...document.querySelectorAll(".live-root tbody tr")].map((row) =>
        [...row.cells].map((cell) => cell.innerText.replaceAll("\\u00a0", " ")).concat(
        [(row.querySelector("a") || { hash: "#eps" }).hash.slice(1)]))"""
    )


def ids(page):
    return [row[-1] for row in rows(page)]


def press(page, head):
    page.locator(".live-root thead button", has_text=head).first.click()


def tick(page, text):
    page.locator(".live-controls label", has_text=text).locator("input").click()


def cards_of(results):
    return [id for id in find_cards() if id in results]


def test_it_begins_with_the_best_system_and_says_what_the_files_say(page, results, curves):
    systems = cards_of(results)
    mean = {id: results[id]["summary"]["miou"]["mean"] for id in results}
    assert ids(page) == sorted(systems, key=lambda id: -mean[id])
    assert page.inner_text(".live-controls output") == f"{len(systems)} of {len(results)} rows"
    assert page.locator(".live-root thead button").all_inner_texts() == HEADS
    for name, _, label, hidden, miou, gain, seconds, memory, id in rows(page):
        result, card = results[id], find_cards()[id]
        summary, needs = result["summary"], result["protocol"]["needs"]
        assert name == card.name
        assert label.strip() == LABELS[card.supervision[0]]
        assert hidden == (", ".join(HIDDEN[need] for need in needs) or "none")
        assert miou.strip() == f"{mean[id]:.3f} ± {summary['miou']['sd']:.3f}"
        assert float(seconds) == pytest.approx(summary["seconds"]["mean"], abs=0.51)
        assert float(memory) == pytest.approx(summary["peak_memory_mb"]["mean"], abs=0.51)
        if id in curves:
            gains = curves[id][1]
            error = 2 * np.std(gains, ddof=1) / len(gains) ** 0.5
            said = [float(figure) for figure in gain.replace("−", "-").split()[:3:2]]
            assert said == pytest.approx([np.mean(gains), error], abs=6e-4), id
        else:
            assert gain == "–"


def test_dots_and_bars_stand_on_one_axis(page, results):
    tick(page, "controls and variants")
    seen = page.evaluate(
        """() => [...document.querySelectorAll(".live-root tbody tr")].map((row) => {
        const [track, bar, dot] = [".live-track", ".live-bar", ".live-dot"].map(
          (name) => row.querySelector(name).getBoundingClientRect());
        const at = (x) => (x - track.left) / track.width;
        return [at(bar.left), at((dot.left + dot.right) / 2), at(bar.right)]; })"""
    )
    figures = {id: result["summary"]["miou"] for id, result in results.items()}
    order = sorted(figures.values(), key=lambda one: -one["mean"])
    expected = [[o["mean"] - o["sd"], o["mean"], o["mean"] + o["sd"]] for o in order]
    low = np.floor(10 * min(e[0] for e in expected)) / 10
    high = np.ceil(10 * max(e[2] for e in expected)) / 10
    assert np.array(seen) == pytest.approx((np.array(expected) - low) / (high - low), abs=0.01)


def test_heads_sort_up_and_down(page, results, curves):
    seconds = {id: results[id]["summary"]["seconds"]["mean"] for id in cards_of(results)}
    press(page, "seconds")
    assert ids(page) == sorted(seconds, key=lambda id: seconds[id])
    assert page.get_attribute("thead .live-seconds", "aria-sort") == "ascending"
    page.focus("thead .live-seconds button")
    page.keyboard.press("Enter")
    assert ids(page) == sorted(seconds, key=lambda id: -seconds[id])
    assert page.get_attribute("thead .live-seconds", "aria-sort") == "descending"
    assert page.locator("[aria-sort]").count() == 1
    press(page, "system")
    names = [row[0] for row in rows(page)]
    assert len(names) == len(seconds)
    assert names == sorted(names, key=str.casefold)


def test_gains_are_sorted_among_what_counts_the_same(page, curves):
    press(page, "gain")
    known = [id for id in ids(page) if id in curves]
    assert ids(page)[: len(known)] == known, "systems without a gain come last"
    counted = [curves[id][0] for id in known]
    assert len([*groupby(counted)]) == len(set(counted)), "what counts the same stands together"
    for response in set(counted):
        gains = [np.mean(curves[id][1]) for id in known if curves[id][0] == response]
        assert gains == sorted(gains, reverse=True)


def test_labels_and_hidden_supervision_are_filters(page, results):
    def needs(id):
        return results[id]["protocol"]["needs"]

    everything = set(ids(page))
    tick(page, "SAM")
    assert set(ids(page)) == {id for id in everything if not any("SAM" in n for n in needs(id))}
    assert "grounded_sam" not in ids(page)
    tick(page, "none")
    left = set(ids(page))
    assert left == {id for id in everything if needs(id) and not any("SAM" in n for n in needs(id))}
    tick(page, "image labels")
    assert ids(page) == []
    assert "No row is left" in page.inner_text(".live-controls output")
    tick(page, "none")
    assert set(ids(page)) == {
        id for id in everything if results[id]["protocol"]["supervision"][0] != "tags"
    }


def test_words_search_and_controls_are_added(page, results):
    page.fill("input[type=search]", "image eras")
    erasing = {"two_phase", "ae_psl", "seenet", "cse", "ecs_net", "acr"}
    assert set(ids(page)) == erasing
    page.fill("input[type=search]", "")
    tick(page, "controls and variants")
    found = rows(page)
    assert len(found) == len(results)
    names = {row[0]: row[1] for row in found}
    assert len(names) == len(results)
    assert names["PAMR"] == "refining"
    assert names["MCTformer: PAMR"] == names["CAM, 600 steps"] == CONTROL


def test_names_lead_to_their_sections(page):
    assert page.get_attribute("tbody a >> nth=0", "href").startswith("there.html#")
    press(page, "system")
    linked = page.locator("tbody a").all_inner_texts()
    assert "EPS" not in linked
    assert "CAM" in linked


def test_beside_the_side_bars_it_is_a_table_that_fits(page):
    page.set_viewport_size({"width": 1366, "height": 900})
    page.evaluate("document.body.style.width = '740px'")
    press(page, "system")
    assert page.locator(".live-root table").bounding_box()["width"] <= 740
    assert page.locator(".live-root tbody").evaluate("(e) => getComputedStyle(e).display") == (
        "table-row-group"
    )


def test_on_a_phone_every_figure_says_what_it_is(page):
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 391
    before = "(cell) => getComputedStyle(cell, '::before').content"
    assert "seconds" in page.locator("tbody .live-seconds").first.evaluate(before)
    press(page, "seconds")
    assert page.get_attribute("thead .live-seconds", "aria-sort") == "ascending"


def test_paper_has_the_dots(page, results):
    page.emulate_media(media="print")
    assert page.is_visible(".live-fallback")
    assert not page.is_visible(".live-root")
    alt = page.get_attribute(".live-fallback", "alt")
    best = max(cards_of(results), key=lambda id: results[id]["summary"]["miou"]["mean"])
    assert f"top: {find_cards()[best].name} 0." in alt


def test_labels_have_one_colour_on_every_page():
    shown = standard_leaderboard(lambda _: "").data["colours"]
    tree = taxonomy(lambda _: "")
    for label in ("image labels", "boxes", "scribbles", "points"):
        assert shown[label] in tree
        assert shown[label] == LABEL_COLOURS[label]
    assert len(set(shown.values())) == len(shown)


def test_it_is_light():
    assert len(standard_leaderboard(lambda _: "")._repr_html_()) < 300_000


@pytest.mark.parametrize("entries", [[], [ENTRY, replace(ENTRY, miou=0.4)]])
def test_names_must_differ(entries):
    with pytest.raises(InputError, match="a name of its own"):
        live_leaderboard(entries)
