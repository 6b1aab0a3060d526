"""A dose to slide over: the curve, its figures and the pictures are those of the files."""

import re

import dose_figures
import numpy as np
import pytest
import torch
from dose_table import gain_text
from measured import called, curves_of, gains_of

from experiments.dose_maps import INSIDE, LEVELS, contenders, scene_of
from experiments.doses import FAMILIES
from tests.test_system_standard import PENDING, WAITING
from wsss_lib.core import IGNORE, InputError
from wsss_lib.evaluate import confusion_of, ious
from wsss_lib.gallery import read_gallery
from wsss_lib.results import read_arrays
from wsss_lib.show.live import Answer, Seen, live_doses

pytestmark = pytest.mark.xdist_group("browser")
LACKING = PENDING.get("dose-response curve", frozenset())
MEASURED = [
    name
    for name, family in FAMILIES.items()
    if not (name in WAITING or LACKING.issuperset(family.controls))
]
GAINS = {"ours over theirs": [[0.1, 0.3], [0.1, 0.2, 0.6], [-0.2, 0.0]]}
LOOK = """n => { const c = document.querySelectorAll(".live-panel canvas")[n];
    return [...c.getContext("2d").getImageData(0, 0, c.width, c.height).data]; }"""


def seen(number, given=True):
    """A picture of 8 x 8 whose scores, label and truth are told apart by the number of the dose."""
    truth = torch.zeros(8, 8, dtype=torch.bool)
    truth[2:6, 1 : 4 + number] = True
    score = torch.zeros(8, 8)
    score[1:5, number : 4 + number] = 0.5 + number / 8
    label = torch.full((8, 8), IGNORE)
    label[number] = 2
    answers = [
        Answer("theirs", score, score > 0.4, 0.25),
        Answer("ours", score * 0, truth, number / 4),
    ]
    image = torch.full((3, 8, 8), number / 4)
    return Seen(
        image, f"class {number}", truth, answers, "strokes" * given, label if given else None
    )


@pytest.fixture
def made():
    return {title: [seen(k) for k in range(3)] for title in ("first", "second")}


@pytest.fixture
def page(made, opened):
    return opened(
        live_doses(GAINS, (0.1, 0.2, 0.4), 1, "share", "mean IoU", made, "One line that falls.")
    )


def shown(page):
    """What the page says: dose, gains, names of the panels, notes below them."""
    texts = [page.locator(part).all_inner_texts() for part in (".live-gain", ".live-panel b")]
    return [page.inner_text("output"), *texts, page.locator(".live-note").all_inner_texts()]


def plain(text):
    return text.replace("\N{NO-BREAK SPACE}", " ")


def test_slider_and_curve_choose_the_dose(page):
    assert shown(page) == [
        "0.2 (home): 3 worlds", ["+0.300 ±\N{NO-BREAK SPACE}0.306"],
        ["picture", "strokes", "theirs", "ours"],
        ["the class 1", "the weak label", "IoU 0.25", "IoU 0.25"],
    ]  # fmt: skip
    page.focus("input")
    page.keyboard.press("ArrowRight")
    assert shown(page)[:2] == ["0.4: 2 worlds", ["\N{MINUS SIGN}0.100"]]
    assert shown(page)[3] == ["the class 2", "the weak label", "IoU 0.25", "IoU 0.50"]
    assert page.get_attribute(".live-chosen", "data-dose") == "2"
    page.keyboard.press("Home")
    assert shown(page)[:2] == ["0.1: 2 worlds", ["+0.200"]]
    box = page.locator(".live-band[data-dose='2'] rect").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert shown(page)[0] == "0.4: 2 worlds"
    assert page.input_value("input") == "2"


def test_means_stand_where_their_gains_are(page):
    """Two known means fix the scale; the third, and zero, must lie on it."""
    marks = page.eval_on_selector_all(
        ".live-mean",
        """all => all.map(g => {
            const box = g.getBoundingClientRect();
            return [Number(g.dataset.gain), box.top + box.height / 2];
        })""",
    )
    (one, high), (other, low), (third, there) = marks
    assert (one, other, third) == pytest.approx((0.2, 0.3, -0.1))
    scale = (low - high) / (other - one)
    assert there == pytest.approx(high + scale * (third - one), abs=0.6)
    assert there > high > low


def test_panels_show_truth_label_score_and_region(made, page):
    page.focus("input")
    for number, key in enumerate(("Home", "ArrowRight", "ArrowRight")):
        page.keyboard.press(key)
        one = made["first"][number]
        layers = [
            torch.tensor(page.evaluate(LOOK, n)).view(32, 32, 4)[2::4, 2::4] for n in range(4)
        ]
        drawn = layers[1]
        assert ((drawn[..., 3] == 255) == (one.label == 2)).all()
        assert (drawn[..., :3][one.label == 2] == torch.tensor([86, 180, 233])).all()
        opacity = layers[2][..., 3] / 255
        inner = (one.answers[0].score - 0.5 - number / 8).abs() < 1e-6
        inner[[1, 4]] = False  # the line around the region covers the border
        inner[:, [number, 3 + number]] = False
        wanted = 0.7 * one.answers[0].score[inner]
        assert opacity[inner].numpy() == pytest.approx(wanted.numpy(), abs=0.01)
        bright = torch.tensor(page.evaluate(LOOK, 0)).view(32, 32, 4)
        edge = bright[8, 6:14]  # along the upper border of the truth
        assert edge[..., :3].float().mean() > 180
        assert (edge[..., 3] > 200).all()
        assert not bright[26:, :, 3].any()


def test_the_curve_says_what_it_shows(page):
    assert page.inner_text(".live-response") == "gain in mean IoU"


def test_another_picture_is_chosen(page):
    page.click("text=second")
    pressed = page.eval_on_selector_all("button", "all => all.map(b => b.ariaPressed)")
    assert pressed == ["false", "true"]


def test_pictures_must_be_complete(made):
    def build(pictures):
        return live_doses(GAINS, (0.1, 0.2, 0.4), 1, "share", "mean IoU", pictures, "alt")

    with pytest.raises(InputError, match="needs a picture for each of 3 doses"):
        build({"first": made["first"][:2]})
    lacking = Seen(*[getattr(made["first"][0], f) for f in ("image", "name", "truth")], [])
    with pytest.raises(InputError, match="must show theirs, ours"):
        build({"first": [*made["first"][:2], lacking]})
    bare = seen(0)
    unlabelled = Seen(bare.image, bare.name, bare.truth, bare.answers, "strokes")
    with pytest.raises(InputError, match="needs a label"):
        build({"first": [unlabelled, *made["first"][1:]]})


def test_without_a_weak_label_no_panel_stands_for_it(opened):
    pictures = {"only": [seen(k, given=False) for k in range(3)]}
    page = opened(live_doses(GAINS, (1, 2, 3), 1, "share", "mean IoU", pictures, "alt"))
    assert shown(page)[2] == ["picture", "theirs", "ours"]


@pytest.mark.parametrize("family", MEASURED)
def test_a_family_shows_what_was_stored(family, root, opened):
    figure = dose_figures.live_dose_figure(family, "The curve of the family.")
    assert len(figure._repr_html_()) < 300_000
    curves = curves_of(family)
    path = root / "results" / "doses" / f"{family}.npz"
    arrays, about = read_arrays(path)
    assert path.stat().st_size <= max(60_000, 11_000 * len(about["contenders"]))
    page = opened(figure)
    controls = FAMILIES[family].controls
    due = set(controls) - LACKING
    assert due | {controls[id] for id in due} <= set(about["contenders"])
    assert set(about["contenders"]) <= set(contenders(FAMILIES[family]))
    names = [called(name) for name in about["contenders"]]
    titles = list(dict.fromkeys(entry["picture"] for entry in about["pictures"]))
    for entry in about["pictures"]:
        page.click(f".live-choices button:nth-child({1 + titles.index(entry['picture'])})")
        page.focus("input")
        page.keyboard.press("Home")
        for _ in range(entry["dose"]):
            page.keyboard.press("ArrowRight")
        dose, found, heads, notes = shown(page)
        home = entry["dose"] == curves[0]["home"]
        gains = [gains_of(one)[entry["dose"]] for one in curves]
        wanted = [gain_text(g if home else [float(np.mean(g))]) for g in gains]
        assert [plain(text) for text in found] == [plain(text) for text in wanted]
        assert dose.startswith(f"{curves[0]['doses'][entry['dose']]:g}")
        assert heads[-len(names) :] == names
        truth = torch.from_numpy(scene_of(FAMILIES[family], entry["dose"], entry["id"]).label)
        c, said = entry["class"], re.findall(r"IoU (\S+)", " ".join(notes))
        for name, text in zip(about["contenders"], said, strict=True):
            byte = arrays[f"{entry['dose']}/{entry['id']}/{name}"]
            labels = torch.from_numpy((byte >= INSIDE) * c).long()
            own = np.nan_to_num(ious(confusion_of(truth.long(), labels, 7))[c])
            assert float(text) == pytest.approx(float(own), abs=0.0051)


@pytest.mark.parametrize("family", MEASURED)
def test_maps_at_home_are_those_that_the_results_come_from(family, root):
    arrays, about = read_arrays(root / "results" / "doses" / f"{family}.npz")
    home = FAMILIES[family].home
    for name in about["contenders"]:
        where = FAMILIES[family].doses[home].where
        maps = read_gallery(root / "results" / "maps" / where / f"{name}.npz")
        assert maps.threshold == about["thresholds"][name]
        if all(id.startswith("val_") for id in maps.maps):
            continue  # networks are pictured on new images, and pulled through training images
        for entry in about["pictures"][home::3]:
            if entry["id"] not in maps.maps:  # boats are looked for among all training images
                assert FAMILIES[family].response == "boat_iou"
                continue
            score = arrays[f"{home}/{entry['id']}/{name}"] % INSIDE / LEVELS
            kept = maps.maps[entry["id"]][entry["class"]].numpy()
            assert np.abs(score - kept).max() < 0.5 / LEVELS + 0.5 / 255 + 1e-3, name
