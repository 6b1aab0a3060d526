"""A classifier in the page: what it says of what is left is what the library says."""

import re

import erasing_figures
import pytest
import torch
from playwright.sync_api import expect

from wsss_lib.blocks.augment.erase import MEAN_COLOUR, erase, hot_regions
from wsss_lib.core import InputError
from wsss_lib.methods.image_level.cam.cam import CAM
from wsss_lib.nets.backbones.toy import toy_cnn, toy_vit
from wsss_lib.show.live import Example, live_erase
from wsss_lib.show.live.erase import BODY, HEAD, in_steps, seen
from wsss_lib.show.live.figure import source_of, uri

pytestmark = pytest.mark.xdist_group("browser")
CLASSES = ("cat & dog", "boat", "nothing")
HOT = 0.5


def in_bytes(method):
    """The same method with the weights that the page has."""
    other = CAM.toy(len(CLASSES))
    other.load_state_dict(method.state_dict())
    for module in other.modules():
        if isinstance(module, torch.nn.Conv2d):
            steps, scale = in_steps(module.weight.detach())
            module.weight.data = steps * scale.view(-1, 1, 1, 1)
    return other.eval()


@pytest.fixture(scope="module")
def made():
    """A CAM that looks for noise, two pictures, and their figure; the last class has no map."""
    torch.manual_seed(0)
    method = CAM.toy(len(CLASSES)).eval()
    method.classifier.weight.data.normal_(0, 0.3)
    method.classifier.weight.data[2].abs_().neg_()
    examples = []
    for number, name in ((1, "first"), (2, "second")):
        image = torch.nn.functional.interpolate(torch.rand(1, 3, 8, 8), 64, mode="bilinear")[0]
        image = ((image + 0.1 * torch.rand(3, 64, 64)).clamp(0, 1) * 255).round() / 255
        labels, parts = (torch.zeros(64, 64, dtype=torch.long) for _ in range(2))
        labels[10:40, 20:60], parts[10:20, 20:30], parts[20:40, 20:60] = number, HEAD, BODY
        labels[39], parts[50:55] = 255, HEAD  # where nobody can tell, and where there is nothing
        examples.append(Example(name, image, labels, parts, number))
    return in_bytes(method), examples, live_erase(method, CLASSES, examples, HOT)


@pytest.fixture
def page(made, opened):
    """The page with the figure, after its script has run."""
    return opened(made[2])


def settled(page):
    """What the figure says after it has looked again."""
    page.evaluate("() => new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(r)))")
    return page.inner_text("output")


def look(method, example, hidden):
    """What the library sees of a picture from which (S, S) is hidden."""
    with torch.inference_mode():
        image = erase(example.image[None], hidden[None, None].float())
        return seen(method.class_maps(image)[0], example)


def check(said, method, example, hidden):
    """The sentence has the figures of the library."""
    shown = [float(figure) for figure in re.findall(r"\d+\.?\d*(?= %|\.? |;)", said)]
    now, whole = look(method, example, hidden), look(method, example, hidden & False)
    expected = [100 * hidden.float().mean(), 100 * now.probability, 100 * whole.probability]
    expected += [100 * now.head, 100 * now.body]
    found = [shown[0], 100 * shown[1], 100 * shown[2], *shown[3:5]]
    assert found == pytest.approx([float(one) for one in expected], abs=0.6), said


def square(x, y, half=4):
    hidden = torch.zeros(64, 64, dtype=torch.bool)
    hidden[max(0, y - half) : y + half + 1, max(0, x - half) : x + half + 1] = True
    return hidden


def colours(page, number):
    """(64, 64, 3) of a canvas in the figure, 0 to 255."""
    content = page.evaluate(
        """(n) => { const c = document.querySelectorAll(".live-pair canvas")[n];
        return [...c.getContext("2d").getImageData(0, 0, c.width, c.height).data]; }""",
        number,
    )
    return torch.tensor(content).view(384, 384, 4)[3::6, 3::6, :3]


def test_maps_and_logits_are_those_of_the_library(made, page):
    method, examples, _ = made
    hidden = torch.zeros(64, 64)
    hidden[5:30, 12:33] = 1
    for example in examples:
        for image in (example.image, erase(example.image[None], hidden[None, None])[0]):
            found = page.evaluate(
                """async ([module, pixels]) => {
                  const { classifier, score } = await import(module);
                  const data = JSON.parse(document.querySelector(".live script").textContent);
                  const found = classifier(data.network)(Float32Array.from(pixels), 64);
                  return { logits: found.logits, maps: found.maps.map((map) => [...map]),
                    scores: found.maps.map((map) => [...score(map, found.side, 64)]) };
                }""",
                [
                    uri("text/javascript", source_of("erase").encode()),
                    image.permute(1, 2, 0).flatten().tolist(),
                ],
            )
            with torch.inference_mode():
                maps = method.class_maps(image[None])[0]
            assert maps.abs().max() > 5
            assert torch.allclose(torch.tensor(found["maps"]).view(3, 16, 16), maps, atol=2e-3)
            assert torch.allclose(torch.tensor(found["logits"]), maps.mean((1, 2)), atol=1e-3)
            for number in (1, 2):
                one = Example("", image, example.labels, example.parts, number)
                score = torch.tensor(found["scores"][number - 1]).view(64, 64)
                assert torch.allclose(score, seen(maps, one).score, atol=1e-4)
            assert max(found["scores"][2]) == 0


def test_the_brush_of_the_keyboard_hides(made, page):
    method, examples, _ = made
    hidden = torch.zeros(64, 64, dtype=torch.bool)
    check(settled(page), method, examples[0], hidden)
    page.focus(".live-pair canvas")
    for key in ("ArrowUp", "ArrowUp", "ArrowLeft", "Shift+ArrowLeft"):
        page.keyboard.press(key)
    check(settled(page), method, examples[0], hidden)
    page.keyboard.press("Space")
    hidden |= square(27, 24)
    check(settled(page), method, examples[0], hidden)
    for _ in range(20):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    hidden |= square(27, 63)
    check(settled(page), method, examples[0], hidden)
    page.keyboard.press("Tab")
    painted = colours(page, 0)
    assert (painted[hidden] == (torch.tensor(MEAN_COLOUR) * 255).round()).all()
    kept = (examples[0].image.permute(1, 2, 0) * 255).round()
    assert (painted[~hidden] == kept[~hidden]).all()


def test_strokes_of_the_mouse_have_no_gaps(made, page):
    method, examples, _ = made
    page.fill(".live-tools input", "5")
    box = page.locator(".live-pair canvas").nth(1).bounding_box()
    one = box["width"] / 64
    page.mouse.move(box["x"] + 10.5 * one, box["y"] + 30.5 * one)
    page.mouse.down()
    page.mouse.move(box["x"] + 50.5 * one, box["y"] + 30.5 * one)
    page.mouse.up()
    page.mouse.move(box["x"] + 50.5 * one, box["y"] + 50.5 * one)  # no button: nothing is hidden
    hidden = torch.zeros(64, 64, dtype=torch.bool)
    hidden[28:33, 8:53] = True
    check(settled(page), method, examples[0], hidden)


def test_a_finger_paints_and_does_not_scroll(made, address, browser):
    method, examples, figure = made
    context = browser.new_context(has_touch=True, viewport={"width": 390, "height": 800})
    page = context.new_page()
    page.goto(address(figure))
    page.wait_for_selector(".live.ready")
    canvas = page.locator(".live-pair canvas").first
    assert canvas.evaluate("(c) => getComputedStyle(c).touchAction") == "none"
    box = canvas.bounding_box()
    page.touchscreen.tap(box["x"] + 20.5 * box["width"] / 64, box["y"] + 9.5 * box["width"] / 64)
    check(settled(page), method, examples[0], square(20, 9))
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()


def test_buttons_hide_parts_and_what_is_hot(made, page):
    method, examples, _ = made
    example = examples[0]
    page.click("text=hide the head")
    check(settled(page), method, example, example.part(HEAD))
    page.click("text=hide the body")
    check(settled(page), method, example, example.part(HEAD) | example.part(BODY))
    page.click("text=show all again")
    hidden = torch.zeros(64, 64, dtype=torch.bool)
    check(settled(page), method, example, hidden)
    for _ in range(2):
        page.click("text=hide what is hot")
        score = look(method, example, hidden).score[None, None]
        new = hot_regions(score, hidden[None, None].float(), HOT)[0, 0] > 0
        assert new.any()
        hidden |= new
        check(settled(page), method, example, hidden)


def test_bars_are_as_long_as_the_sentence_says(made, page):
    method, examples, _ = made
    example = examples[0]
    page.click("text=hide the head")
    settled(page)
    with torch.inference_mode():
        whole, hidden = (
            method.class_maps(image[None])[0].mean((1, 2)).sigmoid().tolist()
            for image in (example.image, example.without_head())
        )
    for row, now, before in zip(page.locator(".live-says label").all(), hidden, whole, strict=True):
        assert float(row.locator(".live-number").inner_text()) == pytest.approx(now, abs=0.006)
        lengths = row.evaluate(
            """(r) => [r.querySelector("i").style.width, r.querySelector("b").style.left]"""
        )
        assert [float(length[:-1]) for length in lengths] == pytest.approx(
            [100 * now, 100 * before], abs=0.1
        )
    for row, gone in zip(page.locator(".live-lies > div").all(), (0, 1), strict=True):
        found = look(method, example, example.part(HEAD) & bool(gone))
        lengths = row.evaluate("(r) => [...r.querySelectorAll('i')].map((i) => i.style.width)")
        assert [float(length[:-1]) for length in lengths] == pytest.approx(
            [100 * found.head, 100 * found.body], abs=0.1
        )


def test_other_pictures_and_classes_are_chosen(made, page):
    method, examples, _ = made
    page.click("text=hide the head")
    page.click("text=second")
    check(settled(page), method, examples[1], torch.zeros(64, 64, dtype=torch.bool))
    assert "boat" in page.inner_text(".live-whose")
    assert page.get_attribute(".live-choices button >> nth=1", "aria-pressed") == "true"
    page.check("input[type=radio] >> nth=0")
    assert "There is no cat & dog in this picture." in page.inner_text("output")
    expect(page.locator("text=hide the head")).to_be_disabled()
    example = examples[1]
    empty = Example("", example.image, example.labels.clamp(max=1) * 3, example.parts, 3)
    assert torch.isnan(torch.tensor(look(method, empty, torch.zeros(64, 64)).head))


def test_the_tint_shows_the_map(made, page):
    method, examples, _ = made
    score = look(method, examples[0], torch.zeros(64, 64)).score
    moved = (colours(page, 1) - colours(page, 0)).abs().sum(dim=2)
    assert moved[score > 0.5].float().mean() > 60
    assert (moved[score == 0] < 2).float().mean() > 0.9  # but for the outline


def test_an_empty_map_is_called_empty(made, opened):
    method, examples, _ = made
    old = examples[0]
    labels = torch.where(old.labels == 1, 3, old.labels)
    page = opened(live_erase(method, CLASSES, [Example("x", old.image, labels, old.parts, 3)]))
    assert "The map is empty." in page.inner_text("output")
    assert "NaN" not in page.inner_text(".live")


def test_a_picture_stands_in_on_paper_and_without_scripts(made, page, address, browser):
    assert not page.is_visible(".live-fallback")
    page.emulate_media(media="print")
    assert page.is_visible(".live-fallback")
    assert not page.is_visible(".live-root")
    context = browser.new_context(java_script_enabled=False)
    still = context.new_page()
    still.goto(address(made[2]))
    assert still.is_visible(".live-fallback")
    context.close()


def test_the_picture_is_described_by_its_figures(made):
    method, examples, figure = made
    texts = [text.get_text() for axis in figure.picture.axes for text in (axis.xaxis.label,)]
    for example in examples:
        for hidden in (torch.zeros(64, 64), example.part(HEAD)):
            now = look(method, example, hidden)
            near = [f"p {now.probability + d:.2f}, body {now.body:.0%}" for d in (-0.01, 0, 0.01)]
            assert set(near) & set(texts), (near, texts)
        assert example.name in figure.alt


def test_a_weight_moves_by_half_a_step_at_most():
    weight = torch.randn(4, 3, 3, 3) * torch.tensor([1e-3, 1, 10, 0]).view(4, 1, 1, 1)
    steps, scale = in_steps(weight)
    assert steps.dtype == torch.int8
    moved = (steps * scale.view(4, 1, 1, 1) - weight).abs().amax(dim=(1, 2, 3))
    assert (moved <= 0.5001 * scale).all()
    assert scale[:3] * 127 == pytest.approx(weight.abs().amax(dim=(1, 2, 3))[:3])


def test_only_what_runs_in_a_page_is_taken(made):
    _, examples, _ = made
    for backbone in (toy_vit(), toy_cnn(stride=8)):
        with pytest.raises(InputError, match="does not run in a page"):
            live_erase(CAM.toy(3, backbone), CLASSES, examples)
    with pytest.raises(InputError, match="does not run in a page"):
        live_erase(torch.nn.Identity(), CLASSES, examples)
    old = examples[0]
    small = Example("small", old.image[:, :32], old.labels, old.parts, 1)
    for wrong in ([small], [old, small], []):
        with pytest.raises(InputError, match="squares of one size"):
            live_erase(CAM.toy(3), CLASSES, wrong)


@pytest.fixture(scope="module")
def shipped():
    """The figure of the chapter, and the pictures in it."""
    return erasing_figures.examples(), erasing_figures.live_erasing()


def test_what_the_chapter_says_of_its_pictures_is_so(shipped):
    cat, snake, wreath, starfish, bus = shipped[0]
    whole, hidden = ([], [])
    method, nothing = erasing_figures.classifier(), torch.zeros(64, 64, dtype=torch.bool)
    for example in shipped[0]:
        whole.append(look(method, example, nothing))
        hidden.append(look(method, example, example.part(HEAD)))
        assert whole[-1].probability > 0.5
        assert whole[-1].strongest(example.part(HEAD))
    assert [one.name for one in (cat, snake, wreath, starfish)] == [*erasing_figures.ASKED]
    for before, after in list(zip(whole, hidden, strict=True))[:3]:
        assert after.body > before.body + 0.1
        assert after.probability > 0.5
    assert hidden[0].strongest(cat.part(BODY))
    assert hidden[3].probability < 0.1
    assert bus.name == "bus and cat"
    other = Example("cat", bus.image, bus.labels, bus.parts, cat.number)
    gone = bus.part(HEAD) | bus.part(BODY)
    assert look(method, bus, gone).probability < 0.1
    assert look(method, other, gone).probability > 0.9


def test_the_chapter_s_figure_is_light_and_its_weights_are_good_enough(shipped, opened):
    examples, figure = shipped
    assert len(figure._repr_html_()) < 700_000
    page, method = opened(figure), erasing_figures.classifier()
    for number, example in enumerate(examples):
        page.click(f".live-choices button >> nth={number}")
        page.click("text=hide the head")
        found = float(re.findall(r"probability (\d\.\d+)", settled(page))[0])
        expected = look(method, example, example.part(HEAD)).probability
        assert found == pytest.approx(expected, abs=0.03), example.name


def test_a_classifier_asked_again_comes_back_to_its_holes(shipped, opened):
    page = opened(shipped[1])
    page.click("text=starfish >> nth=0")
    said = []
    for _ in range(8):
        page.click("text=hide what is hot")
        said.append(settled(page))
    assert said[-1] == said[-2] != said[0]
    assert float(re.findall(r"probability (\d\.\d+)", said[-1])[0]) > 0.5


def test_the_table_counts_what_becomes_of_each_class():
    lines = erasing_figures.hidden_heads().data.splitlines()[2:]
    counts = {
        line.split("|")[1].strip(): [int(n) for n in re.findall(r"\d+", line)] for line in lines
    }
    assert [*counts] == [*erasing_figures.world(split="val").classes]
    for alone, known, on_body, still in counts.values():
        assert alone >= known >= max(on_body, still)
    known, on_body, still = counts["starfish"][1:]
    assert still == 0
    assert on_body < 0.1 * known
    for name in ("cat", "snake"):
        known, on_body, still = counts[name][1:]
        assert min(on_body, still) > 0.5 * known
