"""Tables as data: whole, marked, with our figures beside them, and sorted in a real browser."""

import json
from itertools import groupby

import numpy as np
import pytest
import reported_table
from bs4 import BeautifulSoup
from measured import error_of

from experiments.doses import FAMILIES
from wsss_lib import survey
from wsss_lib.survey_rows import notes

pytestmark = pytest.mark.xdist_group("browser")


def address(id):
    """Every section but one."""
    return f"page.html#system-{id}" if id != "toco" else ""


@pytest.fixture(scope="module")
def html():
    return reported_table.table(reported_table.rows(), address)


def lines_of(html):
    """Cells of each line by the column that they stand in, by system."""
    found = {}
    for row in BeautifulSoup(html, "html.parser").tbody("tr"):
        cells = {cell["class"][0].removeprefix("in-"): cell for cell in row(["th", "td"])}
        found[row["data-system"]] = cells
    return found


@pytest.fixture(scope="module")
def lines(html):
    return lines_of(html)


@pytest.fixture(scope="module")
def later(html):
    """The lines of Tables 2 and 3."""
    found = {}
    for table in ("table2", "table3"):
        found |= lines_of(reported_table.table(reported_table.rows(table), address))
    return found


def test_one_line_for_each_printed_one_with_its_figures(lines):
    printed = survey.reported("table1")
    assert list(lines) == [line.system for line in printed]
    for number, line in enumerate(printed, start=1):
        cells = lines[line.system]
        assert list(cells) == list(reported_table.HEADS["table1"])
        assert cells["row"].text == str(number)
        assert cells["year"].text == str(line.year)
        assert cells["group"].text == line.group in {"offline", "online"}
        assert cells["system"].text.startswith(line.method)
        networks = f"{line.pseudo_backbone or '?'} → {line.backbone or '?'}"
        assert cells["networks"].text.startswith(networks)
        for key, value in (("val", line.val), ("test", line.test)):
            assert cells[key].text.startswith(f"{value:.1f}")
            assert float(cells[key]["data-sort"]) == value
        link = cells["system"].a
        assert (link["href"] if link else "") == address(line.system)


def test_errata_are_marked_where_they_belong_and_told_without_a_script(lines):
    def told(system, column):
        details = lines[system][column].details
        return details.p.text if details else ""

    assert "72.2" in told("toco", "test")
    assert "README" in told("toco", "test")
    assert not told("toco", "val")
    assert "VGG16" in told("mcis", "networks")
    assert "SEAM + CONTA" in told("conta", "system")
    marked = {id for id, cells in lines.items() for cell in cells.values() if "†" in cell.text}
    wrong = {
        entry.system for entry in survey.errata()
        if entry.checked and "Table 1" in entry.place and entry.what != "supervision"
    }  # fmt: skip
    assert marked == wrong
    # What is only remembered of an erratum is not printed.
    assert "LargeFOV" not in told("guided_labels", "networks")


def test_hidden_supervision_is_marked_for_the_paper_and_for_us(lines):
    marked = {id for id, cells in lines.items() if "‡" in cells["besides"].text}
    assert marked == set(survey.hidden()) & set(lines)
    for id in marked:
        entry, cell = survey.hidden()[id], lines[id]["besides"]
        assert entry.evidence in cell.details.p.text
        assert ("‡?" in cell.text) == (not entry.checked)
    assert "here too" in lines["eps"]["besides"].text
    assert "here: none" in lines["edam"]["besides"].text
    assert lines["irnet" if "irnet" in lines else "seam"]["besides"].text == "none known"


@pytest.mark.parametrize("table", ["table2", "table3"])
def test_later_tables_are_whole_too(table):
    found = reported_table.rows(table)
    html = reported_table.table(found, address)
    assert f"Table {table[-1]} of the survey" in html
    lines, printed = lines_of(html), survey.reported(table)
    assert list(lines) == [line.system for line in printed]
    groups = {"table2": {"box", "scribble", "point"}, "table3": {"CLIP", "SAM"}}[table]
    for number, (row, line) in enumerate(zip(found, printed, strict=True), start=1):
        cells = lines[line.system]
        assert list(cells) == list(reported_table.HEADS[table])
        assert cells["row"].text == str(number)
        assert cells["group"].text == line.group in groups
        assert cells["networks"].text.startswith(line.backbone or "?")
        assert "→" not in cells["networks"].text
        for key, value in (("val", line.val), ("test", line.test)):
            assert cells[key].text.startswith("–" if value is None else f"{value:.1f}")
            assert cells[key].attrs.get("data-sort") == (None if value is None else str(value))
        assert cells["system"].a["href"] == address(row.ours)


def test_what_a_line_really_is_opens_with_its_source(later):
    told = {id: cells["really"] for id, cells in later.items() if cells["really"].text}
    assert set(told) == set(notes())
    for id, cell in told.items():
        note, text = notes()[id], cell.details.p.text
        assert cell.text.startswith(note.brief)
        assert note.note in text
        assert note.evidence in text
        assert ("§?" in cell.text) == ("Not checked" in text) == (not note.checked)
    assert "masks" in told["dextr"].text
    assert "COCO" in told["clims"].text


def test_the_line_of_bbox_seg_stands_beside_our_bbox_seg(later):
    """Its figures are those of Bbox-Seg, though the survey prints them beside EM."""
    cells = later["wssl_em"]
    assert "here: Bbox-Seg" in cells["really"].text
    assert cells["system"].a["href"] == address("bbox_seg")
    (row,) = [row for row in reported_table.rows("table2") if row.line.system == "wssl_em"]
    assert row.measured == reported_table.measured().get("bbox_seg")
    assert row.here == ("few masks",)


def test_marks_of_later_tables_are_errata_and_more_than_the_label(later):
    daggers = {id for id, cells in later.items() for cell in cells.values() if "†" in cell.text}
    wrong = {
        entry.system for entry in survey.errata()
        if entry.checked and {"Table 2", "Table 3"} & {*entry.place.split("; ")}
    }  # fmt: skip
    assert daggers == wrong
    assert "76.4" in later["spml"]["test"].details.p.text
    marked = {id for id, cells in later.items() if "‡" in cells["besides"].text}
    assert marked == set(survey.hidden()) & set(later)
    for id in marked:
        assert ("‡?" in later[id]["besides"].text) == (not survey.hidden()[id].checked)
    assert "here too" in later["clip_es"]["besides"].text


def test_lines_without_a_system_here_read_as_unmeasured(later, monkeypatch):
    """Whoever builds one changes nothing here."""
    cards = survey.find_cards()
    missing = [row for row in reported_table.rows("table2") if row.ours not in cards]
    assert all(row.measured is None and not row.here for row in missing)
    known = {id: card for id, card in cards.items() if id in ("grabcut", "cam")}
    monkeypatch.setattr(survey, "find_cards", lambda: known)
    monkeypatch.setattr(reported_table, "measured", dict)
    alone = reported_table.table(reported_table.rows("table2"), lambda id: "")
    for cells in lines_of(alone).values():
        assert cells["gain"].text == reported_table.UNMEASURED
        assert cells["system"].a is None


@pytest.mark.parametrize(
    ("family", "system", "figure"),
    [("extra_supervision", "eps", "miou"), ("online", "onestage", "val_miou"),
     ("boundary", "sance", "boundary_iou")],
)  # fmt: skip
def test_gains_are_those_of_the_stored_rows(root, lines, family, system, figure):
    kind = FAMILIES[family]
    folder = root / "results" / "rows" / kind.doses[kind.home].where
    ours, theirs = (
        json.loads((folder / f"{name}.json").read_text())
        for name in (system, kind.controls[system])
    )
    worlds = [str(world) for world in kind.worlds(kind.home)]
    gains = [ours[world][figure] - theirs[world][figure] for world in worlds]
    cell = lines[system]["gain"]
    mean, error = cell.span.text.replace("−", "-").split(" ±\N{NO-BREAK SPACE}")
    assert float(mean) == pytest.approx(np.mean(gains), abs=6e-4)
    assert float(error) == pytest.approx(error_of(gains), abs=6e-4)
    assert float(cell["data-sort"]) == pytest.approx(np.mean(gains), abs=2e-5)
    found = np.mean([ours[world][figure] for world in worlds])
    assert lines[system]["found"].text.startswith(f"{found:.3f}")


def test_a_system_without_a_curve_is_said_to_be_unmeasured(root, lines):
    curves = {path.stem for path in (root / "results" / "curves").glob("*/*.json")}
    for id, cells in lines.items():
        unmeasured = cells["gain"].text == reported_table.UNMEASURED
        assert unmeasured == (id not in curves), id
        assert ("data-sort" in cells["gain"].attrs) == (id in curves)


def test_nothing_is_measured_where_no_results_are(tmp_path, monkeypatch):
    monkeypatch.setenv("WSSS_RESULTS", str(tmp_path))
    assert {row.measured for row in reported_table.rows()} == {None}


@pytest.fixture(scope="module")
def page(root, browser, tmp_path_factory, html):
    """The table in the style of the book, on a phone."""
    file = tmp_path_factory.mktemp("table") / "page.html"
    style = (root / "book" / "_static" / "wsss.css").read_text()
    file.write_text(f"<!doctype html><meta charset=utf-8><style>{style}</style>{html}")
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto(file.as_uri())
    yield page
    page.close()


def order(page):
    """Systems from top to bottom, and what the heads say of the order."""
    systems = page.evaluate("[...document.querySelectorAll('tbody tr')].map(r => r.dataset.system)")
    heads = page.evaluate(
        "[...document.querySelectorAll('thead th[aria-sort]')]"
        ".map(head => [head.innerText.trim(), head.getAttribute('aria-sort')])"
    )
    return systems, heads


def test_heads_sort_with_mouse_and_keyboard(page):
    printed = survey.reported("table1")
    assert order(page) == ([line.system for line in printed], [])
    page.get_by_role("button", name="val").click()
    best = sorted(printed, key=lambda line: -line.val)
    found, heads = order(page)
    assert [line.val for line in best] == [survey.reported_for(id).val for id in found]
    assert heads == [["val ↓", "descending"]] or heads == [["val", "descending"]]
    page.get_by_role("button", name="val").press("Enter")
    assert order(page)[1][0][1] == "ascending"
    assert order(page)[0][0] == best[-1].system
    page.get_by_role("button", name="system").press(" ")
    names = [survey.reported_for(id).method.casefold() for id in order(page)[0]]
    assert names[0] == min(names)
    page.get_by_role("button", name="training").click()  # lines of a kind stay as printed
    kinds = sorted(printed, key=lambda line: line.group)
    assert order(page)[0] == [line.system for line in kinds]
    page.get_by_role("button", name="row").click()
    assert order(page)[0] == [line.system for line in printed]


def test_gains_of_one_count_stand_together_and_what_is_unmeasured_last(page):
    page.get_by_role("button", name="here: gain").click()
    known = {row.line.system: row.measured for row in reported_table.rows()}
    found = [known[id] for id in order(page)[0]]
    counted = [one.response for one in found if one]
    assert found[: len(counted)] == [one for one in found if one]
    groups = [response for response, _ in groupby(counted)]
    assert len(groups) == len(set(groups))
    for response in groups:
        gains = [np.mean(one.gains) for one in found if one and one.response == response]
        assert gains == sorted(gains, reverse=True)


def test_a_phone_slides_the_table_and_not_the_page(page):
    assert page.evaluate("document.documentElement.scrollWidth") <= 391
    box = page.locator(".reported-table")
    assert box.evaluate("box => box.scrollWidth > box.clientWidth && box.tabIndex === 0")
    assert box.evaluate("box => getComputedStyle(box).overflowX") == "auto"
    details = page.locator("tr[data-system=toco] .in-test details")
    assert details.locator("p").is_hidden()
    details.locator("summary").click()
    assert "72.2" in details.locator("p").inner_text()
