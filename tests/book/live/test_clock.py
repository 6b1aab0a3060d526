"""The photograph that is labelled against the clock: by hand, by keys, and in figures."""

import base64

import numpy as np
import pytest
import torch
from cost_figures import clock_figure
from matplotlib.path import Path as Outline
from measured import results_folder
from photograph_figures import photographs

from wsss_lib.core import IGNORE, InputError
from wsss_lib.data.costs import costs, seconds_per_image
from wsss_lib.evaluate import confusion_of, ious
from wsss_lib.results import read_result
from wsss_lib.show.live import live_clock
from wsss_lib.show.live.figure import source_of, text_of

pytestmark = pytest.mark.xdist_group("browser")

WIDTH, HEIGHT = 60, 40
HOURS = (1, 2, 4, 8, 16)
CURVES = {
    kind: [(hours, 0.4 + 0.02 * number + 0.05 * step) for step, hours in enumerate(HOURS)]
    for number, kind in enumerate(("tags", "points", "scribble", "boxes", "masks"))
}
KINDS = ["tags", "points", "boxes", "extremes", "scribble", "masks"]


@pytest.fixture(scope="module")
def truth():
    """A thick cross, with pixels that nobody can tell."""
    mask = torch.zeros(HEIGHT, WIDTH, dtype=torch.int64)
    mask[10:30, 20:40] = 1
    mask[5:35, 26:34] = 1
    mask[12:14, 22:27] = IGNORE
    return mask


@pytest.fixture
def figure(truth):
    image = torch.rand(3, HEIGHT, WIDTH, generator=torch.manual_seed(0))
    return live_clock(image, truth, "cup", "the cup", ["cat", "cup", "dog", "person"], CURVES)


@pytest.fixture
def page(figure, opened):
    """The figure, with a clock that stands still until it is told to run."""
    page = opened(figure)
    page.set_viewport_size({"width": 800, "height": 1400})
    page.clock.install()
    page.clock.pause_at(page.evaluate("Date.now() + 1000"))
    return page


def calls(page, function, *arguments):
    """What a function of the module answers."""
    module = f"data:text/javascript;base64,{text_of(source_of('clock').encode())}"
    script = """async ([module, name, given]) => {
        const found = (await import(module))[name](...given);
        return typeof found === "number" ? found : [...found]; }"""
    return page.evaluate(script, [module, function, list(arguments)])


def begin(page, kind):
    """Ask for a label and start its clock."""
    page.click(f".clock-labels tr[data-kind={kind}] button")
    page.click(".clock-start")


def at(page, x, y):
    box = page.locator("canvas").bounding_box()
    return box["x"] + (x + 0.5) / WIDTH * box["width"], box["y"] + (y + 0.5) / HEIGHT * box[
        "height"
    ]


def cells(page, table, kind):
    return page.locator(f".clock-{table} tr[data-kind={kind}] td").all_inner_texts()


def price(kind, mine=None, look=1.0):
    """Seconds of an image of VOC, by one's own seconds for a mark and for a class."""
    cost = next(one for one in costs() if (one.source, one.kind) == ("bearman", kind))
    return cost.fixed * look + (cost.each if mine is None else mine) * cost.times


def miou(kind, seconds):
    """What ten hours at this price teach, straight between measurements over log hours."""
    bought = "boxes" if kind == "extremes" else kind
    hours = 10 * seconds_per_image(bought) / seconds
    curve = np.array(CURVES[bought])
    return np.interp(np.log(hours), np.log(curve[:, 0]), curve[:, 1])


def star(rng):
    """Seven places around a middle, in turn: a line that does not cross itself."""
    angles = np.sort(rng.uniform(0, 2 * np.pi, 7))
    reach = rng.uniform(0.3, 1, 7)
    x = WIDTH / 2 * (1 + reach * np.cos(angles))
    y = HEIGHT / 2 * (1 + reach * np.sin(angles))
    return np.stack([x, y], axis=1).astype(int)


def test_regions_and_their_iou_are_the_library_s(page, truth):
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    # A centre on the line counts as if it lay a hair to the right and below.
    centres = np.stack([columns.ravel() + 1e-4, rows.ravel() + 1e-8], axis=1)
    flat = [(truth == value).int().flatten().tolist() for value in (1, IGNORE)]
    for _ in range(5):
        places = star(rng)
        outline = calls(page, "filledOutline", places.tolist(), WIDTH, HEIGHT)
        assert outline == Outline(places).contains_points(centres).astype(int).tolist()
        (x0, y0), (x1, y1) = places[[0, 3]].tolist()
        box = calls(page, "filledBox", places[[0, 3]].tolist(), WIDTH, HEIGHT)
        inside = np.zeros((HEIGHT, WIDTH), dtype=int)
        inside[min(y0, y1) : max(y0, y1) + 1, min(x0, x1) : max(x0, x1) + 1] = 1
        assert box == inside.ravel().tolist()
        for region in (outline, box):
            drawn = torch.tensor(region).view(truth.shape)
            expected = float(ious(confusion_of(truth, drawn, 1))[1])
            assert calls(page, "iou", region, *flat) == pytest.approx(expected)


def test_curves_are_straight_between_measurements_over_log_hours(page):
    curve = [[1, 0.4], [2, 0.6], [4, 0.5]]
    for hours, expected in ((0.2, 0.4), (1, 0.4), (2**0.5, 0.5), (2, 0.6), (3, None), (9, 0.5)):
        if expected is None:
            expected = np.interp(np.log(3), np.log([2, 4]), [0.6, 0.5])
        assert calls(page, "expected", curve, hours) == pytest.approx(expected), hours


def test_published_prices_stand_there_from_the_start(page):
    for kind in KINDS:
        cost = next(one for one in costs() if (one.source, one.kind) == ("bearman", kind))
        single = cost.each if cost.times else 4  # a second for each of the four names
        assert cells(page, "labels", kind) == ["", f"{single:.1f} s", ""]
        images, mine, score, _ = cells(page, "hours", kind)
        assert int(images.replace(",", "")) == int(36000 / seconds_per_image(kind))
        assert mine == ""
        assert float(score[:5]) == pytest.approx(miou(kind, seconds_per_image(kind)), abs=6e-4)
        assert score.endswith("†") == (kind == "extremes")


def test_each_label_drawn_by_hand_gets_its_seconds_its_iou_and_what_ten_hours_buy(page, truth):
    drag = {"boxes": [(20, 5), (30, 20), (39, 34)], "scribble": [(22, 20), (30, 20), (38, 20)]}
    clicks = {
        "points": [(30, 20)],
        "extremes": [(20, 20), (39, 20), (30, 5), (30, 34)],
        "masks": [(20, 10), (39, 10), (39, 29), (20, 29), (20, 10)],
    }
    begin(page, "tags")
    page.clock.run_for(2000)
    page.keyboard.press("2")
    page.click(".clock-done")
    assert "tag: 2.0 s, right" in page.inner_text(".clock-said")
    for number, kind in enumerate(KINDS[1:], start=1):
        assert page.inner_text(".clock-next").startswith("Next: ")
        page.click(".clock-next")
        page.click(".clock-start")
        page.clock.run_for(1000 * number)
        for place in clicks.get(kind, []):
            page.mouse.click(*at(page, *place))
        for turn, place in enumerate(drag.get(kind, [])):
            page.mouse.move(*at(page, *place))
            if turn == 0:
                page.mouse.down()
        page.mouse.up()
        assert f"{number}.0 s" in page.inner_text(".clock-said"), kind
    assert page.inner_text(".clock-next") == "Begin anew"

    box = torch.zeros_like(truth)
    box[5:35, 20:40] = 1
    outline = torch.zeros_like(truth)
    outline[10:29, 20:39] = 1  # centres on the right and lower line are outside
    worth = {
        "boxes": ious(confusion_of(truth, box, 1))[1],
        "extremes": ious(confusion_of(truth, box, 1))[1],
        "masks": ious(confusion_of(truth, outline, 1))[1],
    }
    best = {}
    for number, kind in enumerate(KINDS):
        own, _, found = cells(page, "labels", kind)
        assert own == f"{number or 2}.0 s"
        assert found == (f"{worth[kind]:.3f}" if kind in worth else "no extent")
        mine, score = cells(page, "hours", kind)[1::2]
        seconds = price(kind, number, look=2 / 4)
        assert int(mine.replace(",", "")) == int(36000 / seconds)
        best[kind] = miou(kind, seconds)
        assert float(score[:5]) == pytest.approx(best[kind], abs=6e-4)
    top = page.locator(".clock-hours tr.best").get_attribute("data-kind")
    assert best[top] == max(best.values())
    page.click(".clock-next")
    assert cells(page, "labels", "boxes")[0] == ""


def test_keys_alone_do_it(page, truth):
    page.focus(".clock-start")
    for key in ("Enter", "2", "Enter"):
        page.keyboard.press(key)
    assert "right" in page.inner_text(".clock-said")
    for key in ("Enter", "Enter", "ArrowLeft", "Space"):  # next, start; one step left of the middle
        page.keyboard.press(key)
    assert "on the cup" in page.inner_text(".clock-said")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    for key in (*["ArrowLeft"] * 10, *["ArrowUp"] * 15, "Space"):
        page.keyboard.press(key)
    for key in (*["ArrowRight"] * 19, *["ArrowDown"] * 29, "Space"):
        page.keyboard.press(key)
    assert "box" in page.inner_text(".clock-said")
    box = torch.zeros_like(truth)
    box[5:35, 20:40] = 1
    assert f"IoU {ious(confusion_of(truth, box, 1))[1]:.3f}" in page.inner_text(".clock-said")


def test_enter_after_the_last_label_keeps_all_six(page):
    drag, corners = [(20, 5), (39, 34)], [(20, 10), (39, 10), (39, 29)]
    places = {"extremes": [(20, 20), (39, 20), (30, 5), (30, 34)], "masks": corners}
    begin(page, "tags")
    page.click(".clock-done")
    for kind in KINDS[1:]:
        begin(page, kind)
        if kind in ("boxes", "scribble"):
            page.mouse.move(*at(page, *drag[0]))
            page.mouse.down()
            page.mouse.move(*at(page, *drag[1]))
            page.mouse.up()
        for place in places.get(kind, [(30, 20)] if kind == "points" else []):
            page.mouse.click(*at(page, *place))
    for _ in range(2):
        page.keyboard.press("Enter")
        assert all(cells(page, "labels", kind)[0] for kind in KINDS)


def test_a_wrong_answer_is_called_wrong(page):
    begin(page, "tags")
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    assert "not right" in page.inner_text(".clock-said")
    begin(page, "points")
    page.mouse.click(*at(page, 2, 2))
    assert "beside the cup" in page.inner_text(".clock-said")
    begin(page, "scribble")
    page.mouse.move(*at(page, 10, 20))
    page.mouse.down()
    page.mouse.move(*at(page, 30, 20))
    page.mouse.up()
    assert "50 % of its places on the cup" in page.inner_text(".clock-said")


def test_the_clock_runs_between_the_touch_and_the_label_alone(page):
    page.clock.run_for(5000)
    assert page.inner_text(".clock-digits") == "0.0 s"
    begin(page, "points")
    page.clock.run_for(1500)
    assert page.inner_text(".clock-digits") == "1.5 s"
    page.mouse.click(*at(page, 30, 20))
    page.clock.run_for(5000)
    assert page.inner_text(".clock-digits") == "1.5 s"


def test_after_the_clock_has_stopped_nothing_is_drawn(page):
    look = "() => document.querySelector('canvas').toDataURL()"
    begin(page, "points")
    page.mouse.click(*at(page, 30, 20))
    before = page.evaluate(look)
    page.mouse.click(*at(page, 10, 10))
    page.focus("canvas")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(look) == before
    begin(page, "points")
    page.mouse.click(*at(page, 10, 10))
    assert page.evaluate(look) != before


def test_the_figure_of_the_book_is_light_and_shows_the_stored_curves():
    figure = clock_figure("coffee", "the cup")
    assert len(figure._repr_html_()) < 300_000
    data = figure.data
    size = (data["height"], data["width"])
    bits = np.unpackbits(np.frombuffer(base64.b64decode(data["truth"]), np.uint8))
    mask = photographs().mask("coffee") == photographs().classes.index("cup") + 1
    truth = bits[: size[0] * size[1]].reshape(size)
    assert truth.mean() == pytest.approx(float(mask.float().mean()), abs=2e-3)
    runs = read_result(results_folder() / "ten_hours.json")["runs"]
    for task in data["tasks"]:
        label = "boxes" if task["kind"] == "extremes" else task["kind"]
        for hours, miou in task["curve"]:
            here = [run["miou"] for run in runs if (run["label"], run["hours"]) == (label, hours)]
            assert miou == pytest.approx(np.mean(here))
        assert len(task["curve"]) == 5


def test_what_does_not_fit_is_refused(truth):
    image = torch.rand(3, HEIGHT, WIDTH)
    with pytest.raises(InputError, match="must have one size"):
        live_clock(image, truth[1:], "cup", "the cup", ["cup"], CURVES)
    curves = {kind: curve for kind, curve in CURVES.items() if kind != "masks"}
    with pytest.raises(InputError, match="no curve of 'masks'"):
        live_clock(image, truth, "cup", "the cup", ["cup"], curves)
