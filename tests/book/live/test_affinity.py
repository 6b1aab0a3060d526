"""A pixel to point at: moved in a real browser, it says what the library's own walks say."""

import re

import affinity_figures
import numpy as np
import pytest
import torch
from stored_figures import chosen

from experiments.affinity_rows import HOME, own_share
from wsss_lib.blocks.affinity.class_tokens import spread
from wsss_lib.blocks.affinity.pairs import half_disc, stencil_affinity
from wsss_lib.blocks.affinity.paths import path_affinity
from wsss_lib.blocks.affinity.random_walk import propagate
from wsss_lib.blocks.refine.pamr import pamr
from wsss_lib.core import InputError
from wsss_lib.data.toy import KINDS, toy_scene
from wsss_lib.results import read_arrays
from wsss_lib.show.live import Asked, Walk, live_affinity
from wsss_lib.show.live.affinity import shrunk
from wsss_lib.survey import find_cards

pytestmark = pytest.mark.xdist_group("browser")
OFFSETS = tuple(half_disc(3))
WALKS = (
    Walk("links", "features", 5, "links", OFFSETS, 4.0),
    Walk("colour", "colour", 3, "colours", ((0, 1), (0, 2)), 0.3),
    Walk("attention", "attention", 1, "matrix"),
)
MORE = (
    Walk("cosines", "likeness", 2, "likeness"),
    Walk("fences", "boundaries", 4, "paths", OFFSETS, 2.0),
)
EVERY = (*WALKS, *MORE)


def asked(seed, title):
    """A picture of 16 x 16 with two objects, links at half its size, attention at a quarter."""
    generator = torch.Generator().manual_seed(seed)
    image = (torch.rand(3, 16, 16, generator=generator) * 255).round() / 255
    truth = torch.zeros(16, 16, dtype=torch.long)
    truth[2:13, 1:9] = 1
    truth[4:9, 11:15] = 2
    links = stencil_affinity(torch.rand(1, 2, 8, 8, generator=generator), OFFSETS)[0]
    half = torch.rand(16, 16, generator=generator).tril()
    said = {
        "links": links,
        "attention": torch.rand(16, 16, generator=generator),
        "cosines": half + half.tril(-1).T,
        "fences": torch.rand(8, 8, generator=generator) * 0.9,
    }
    said = {name: (values * 255).round() / 255 for name, values in said.items()}
    return Asked(title, image, truth, said)


@pytest.fixture(scope="module")
def pictures():
    return [asked(0, "first"), asked(1, "second")]


@pytest.fixture
def page(pictures, opened):
    """The page with the figure, after its script has run."""
    return opened(live_affinity(pictures, WALKS, ["cat", "dog"], MORE))


def expected(one, y, x, most, walks):
    """For each walk: own share, that of a blind walk, reach; and the own share of the object."""
    own = one.truth == one.truth[y, x]
    found = []
    sizes = {"links": 8, "paths": 8, "colours": 16, "matrix": 4, "likeness": 4}
    for walk in walks:
        steps = min(most, walk.steps)
        h = w = sizes[walk.kind]
        place = (y * h // 16, x * w // 16)
        region = shrunk(own, (h, w))
        if walk.kind in ("links", "paths"):
            links = one.said[walk.name][None]
            links = path_affinity(links[None], OFFSETS) if walk.kind == "paths" else links
            kept = propagate(region[None, None], links, OFFSETS, walk.beta, steps)[0, 0]
            blind = propagate(region[None, None], (links > 0).float(), OFFSETS, 1.0, steps)[0, 0]
        elif walk.kind == "colours":
            kept = pamr(one.image[None], region[None, None], (1, 2), steps, 0.3)[0, 0]
            blind = pamr(torch.zeros(1, 3, 16, 16), region[None, None], (1, 2), steps)[0, 0]
        else:
            rows = one.said[walk.name] / one.said[walk.name].sum(dim=1, keepdim=True)
            kept = region
            for _ in range(steps):
                kept = spread(kept[None, None], rows[None])[0, 0]
            blind = torch.full((4, 4), float(region.mean()))
        row = walk.row(place, one.image, one.said.get(walk.name, torch.empty(0)), most)
        assert float((row * region).sum()) == pytest.approx(float(kept[place]), abs=1e-5)
        even = region / region.sum()
        reach = (row * region / (row * region).sum()).minimum(even).sum()
        whole = (kept * region).sum() / region.sum()
        found.append([float(value) for value in (kept[place], blind[place], reach, whole)])
    return found


def read(page):
    """Percentages of the panels that are shown, those of the whole object, and the pixel."""
    shown = ".live-panel:not([hidden])"
    assert page.locator(".live-panel:visible").count() == page.locator(shown).count()
    panels = [
        [int(value) for value in re.findall(r"(\d+)\s%", text)]
        for text in page.locator(f"{shown} .live-share").all_inner_texts()
    ]
    wholes = [int(value) for value in re.findall(r"(\d+)\s%", page.inner_text("output"))]
    widths = page.eval_on_selector_all(f"{shown} .live-bar i", "all => all.map(i => i.style.width)")
    bars = [float(width.strip("%")) for width in widths]
    y, x = map(int, re.findall(r"\d+", page.inner_text(".live-asked")))
    return panels, wholes, bars, (y, x)


def agrees(page, one, place, most, walks=WALKS):
    panels, wholes, bars, found = read(page)
    assert found == place
    wanted = expected(one, *place, most, walks)
    for panel, whole, bar, (own, blind, reach, all_) in zip(
        panels, wholes, bars, wanted, strict=True
    ):
        assert panel == pytest.approx([100 * own, 100 * blind, 100 * reach], abs=0.51)
        assert whole == pytest.approx(100 * all_, abs=0.51)
        assert bar == pytest.approx(100 * own, abs=1e-2)


def test_keys_and_slider_move_what_the_library_says(pictures, page):
    one, (y, x) = pictures[0], pictures[0].pixel
    agrees(page, one, (y, x), 5)
    page.focus("canvas")
    for key, place in (("ArrowRight", (y, x + 1)), ("ArrowUp", (y - 1, x + 1))):
        page.keyboard.press(key)
        agrees(page, one, place, 5)
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    agrees(page, one, (y - 1, 15), 5)
    page.focus("[type=range]")
    for key, most in (("Home", 1), ("ArrowRight", 2), ("ArrowRight", 4), ("ArrowRight", 5)):
        page.keyboard.press(key)
        agrees(page, one, (y - 1, 15), most)


def test_pointing_at_any_panel_moves_the_pixel(pictures, page):
    for number, (y, x) in enumerate(((6, 12), (3, 2), (15, 0), (8, 8))):
        canvas = page.locator("canvas").nth(number)
        canvas.scroll_into_view_if_needed()
        box = canvas.bounding_box()
        at = [
            box[start] + (place + 0.5) * box[side] / 16
            for start, place, side in (("x", x, "width"), ("y", y, "height"))
        ]
        page.mouse.move(*at)
        agrees(page, pictures[0], (y, x), 5)


def test_another_picture_is_chosen(pictures, page):
    page.click("text=second")
    assert page.get_attribute("button:nth-child(2)", "aria-pressed") == "true"
    agrees(page, pictures[1], pictures[1].pixel, 5)


def test_others_are_asked_when_they_are_chosen(pictures, page):
    one, (y, x) = pictures[0], pictures[0].pixel
    # What an affinity has of the pictures is unpacked once, and not before it is chosen.
    page.evaluate(
        """() => {
        const real = DecompressionStream;
        window.unpacked = 0;
        window.DecompressionStream = function (form) { unpacked += 1; return new real(form); };
        }"""
    )
    assert page.eval_on_selector_all(
        "[type=checkbox]", "all => all.map(one => one.labels[0].textContent.trim())"
    ) == [walk.name for walk in EVERY]
    page.focus("[type=checkbox]")
    for _ in WALKS:
        page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.wait_for_selector(".live-panel:not([hidden]) >> text=cosines")
    agrees(page, one, (y, x), 5, (*WALKS, MORE[0]))
    assert page.evaluate("unpacked") == 1
    for known in ((*WALKS,), (*WALKS, MORE[0])):
        page.keyboard.press("Space")
        agrees(page, one, (y, x), 5, known)
    assert page.evaluate("unpacked") == 1
    page.click("label >> text=fences")
    page.wait_for_selector(".live-panel:not([hidden]) >> text=fences")
    page.click("label >> text=links")
    page.click("text=second")
    agrees(page, pictures[1], pictures[1].pixel, 5, EVERY[1:])
    assert page.evaluate("unpacked") == 2
    canvas = page.locator(".live-panel:not([hidden]) canvas").last
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 12.5 / 16, box["y"] + box["height"] * 6.5 / 16)
    agrees(page, pictures[1], (6, 12), 5, EVERY[1:])
    for walk in EVERY[1:]:
        page.click(f"label >> text={walk.name}")
    assert read(page)[:3] == ([], [], [])
    assert "choose at least one" in page.inner_text("output")


def test_on_paper_and_without_scripts_stand_the_first(pictures, page, browser):
    page.click("label >> text=cosines")
    page.emulate_media(media="print")
    assert page.is_visible(".live-fallback")
    assert not page.is_visible(".live-root")
    figure = live_affinity(pictures, WALKS, ["cat", "dog"], MORE)
    alone = live_affinity(pictures, WALKS, ["cat", "dog"])
    assert figure.picture.png() == alone.picture.png()
    assert "attention" in figure.alt
    assert "cosines" not in figure.alt
    context = browser.new_context(java_script_enabled=False)
    still = context.new_page()
    still.goto(page.url)
    assert still.is_visible(".live-fallback")
    context.close()


def test_brightest_is_where_the_score_comes_from(pictures, page):
    look = """n => { const c = document.querySelectorAll("canvas")[n];
        return [...c.getContext("2d").getImageData(0, 0, c.width, c.height).data]; }"""
    one = pictures[0]
    row = WALKS[2].row((one.pixel[0] // 4, one.pixel[1] // 4), one.image, one.said["attention"])
    seen = torch.tensor(page.evaluate(look, 3)).view(64, 64, 4)[..., :3].float().sum(dim=2)
    cells = torch.nn.functional.avg_pool2d(seen[None], 16)[0].flatten()
    order = torch.corrcoef(torch.stack([cells, row.flatten().sqrt()]))[0, 1]
    assert order > 0.8


def test_a_row_sums_to_one_and_is_the_walk_itself(pictures):
    one = pictures[0]
    for walk in EVERY:
        said = one.said.get(walk.name, torch.empty(0))
        row = walk.row((1, 2), one.image, said)
        assert float(row.sum()) == pytest.approx(1, abs=1e-5)
        maps = torch.rand(1, *walk.size(one.image, said))
        after = walk.move(maps, one.image, said, walk.steps)
        assert float(after[0, 1, 2]) == pytest.approx(float((row * maps[0]).sum()), abs=1e-5)


def test_a_walk_without_a_say_is_refused(pictures):
    silent = Asked("silent", pictures[0].image, pictures[0].truth, {})
    with pytest.raises(InputError, match="missing: links, attention"):
        live_affinity([silent], WALKS, ["cat", "dog"])
    with pytest.raises(InputError, match="missing: links, attention, cosines"):
        live_affinity([silent], WALKS, ["cat", "dog"], MORE[:1])
    uneven = {**pictures[0].said, "cosines": pictures[0].said["attention"]}
    with pytest.raises(InputError, match=r"'cosines' is not symmetric on picture 'silent'"):
        live_affinity([Asked("silent", silent.image, silent.truth, uneven)], WALKS, ["cat"], MORE)
    with pytest.raises(InputError, match="missing: the object"):
        live_affinity(
            [Asked("bare", silent.image, silent.truth * 0, pictures[0].said)], WALKS, ["cat"]
        )
    with pytest.raises(InputError, match="at least one picture"):
        live_affinity([], WALKS, ["cat"])


class Home:
    """The world of the chapter, drawn one picture at a time."""

    classes = tuple(KINDS)

    def scene(self, id):
        return toy_scene(0, "standard", "train", int(id.removeprefix("train_")), HOME.knobs)

    def image(self, id):
        return torch.from_numpy(self.scene(id).image / 255).permute(2, 0, 1).float()

    def mask(self, id):
        return torch.from_numpy(self.scene(id).label).long()


def test_the_page_shows_what_was_stored_of_the_trained_systems(root, opened, monkeypatch):
    monkeypatch.setattr(affinity_figures, "world", lambda _: Home())
    figure = affinity_figures.rows_figure()
    assert len(figure._repr_html_()) < 310_000
    assert max(len(walk["content"]) for walk in figure.data["walks"]) < 64_000
    page = opened(figure)
    arrays, about = read_arrays(root / "results" / "maps" / "affinity_rows.npz")
    assert about["pictures"] == chosen("irnet", "pamr", HOME.where)
    assert page.locator(".live-panel:not([hidden])").count() == 1 + affinity_figures.FIRST
    for box in page.locator("[type=checkbox]").all():
        box.check()
    walks = dict(zip(affinity_figures.ASKS, affinity_figures.walks_of(about), strict=True))
    page.wait_for_selector(f":nth-match(.live-panel:not([hidden]), {1 + len(walks)})")
    for number, id in enumerate(about["pictures"].values()):
        page.click(f".live-choices button:nth-child({number + 1})")
        panels, _, _, (y, x) = read(page)
        image, truth = Home().image(id), Home().mask(id)
        for (name, walk), shown in zip(walks.items(), panels, strict=True):
            said = torch.from_numpy(arrays.get(f"{id}/{name}", np.empty(0))).float() / 255
            h, w = walk.size(image, said)
            row = walk.row((y * h // 64, x * w // 64), image, said)
            own = (row * shrunk(truth == truth[y, x], (h, w))).sum()
            assert shown[0] == pytest.approx(100 * float(own), abs=0.51)
            if name != "pamr":
                # Bytes say what the systems themselves said.
                share = own_share(walk, said, Home(), id)
                assert share == pytest.approx(about["shares"][id][name], abs=2e-3)


def test_every_learned_affinity_of_an_image_can_be_asked(root):
    """Whoever moves scores along an affinity reads one of these parts; PAMR learns nothing."""
    parts = "random_walk|stopped_walk|class_tokens|attention|correlation"
    reads = re.compile(
        rf"^from wsss_lib\.(blocks\.affinity|nets\.heads)\.({parts}) import", re.MULTILINE
    )
    files = (root / "wsss_lib" / "methods").rglob("*.py")
    learned = {path.stem for path in files if reads.search(path.read_text(encoding="utf-8"))}
    assert learned - AS_OTHERS == {*affinity_figures.ASKS} - {"pamr"}
    page = (root / "book" / "affinity" / "index.md").read_text(encoding="utf-8")
    assert all(find_cards()[id].name in page for id in learned)


AS_OTHERS = {"ppc", "cpn", "l2g", "mmcst"}
"""Three ask through the module of SEAM, one as MCTformer does; their panels stand for them."""
