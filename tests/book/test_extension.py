"""The book's Sphinx extension: measured figures, cards, tables and quizzes."""

import json
import re
from io import StringIO
from pathlib import Path

import pytest
from bench_table import figure
from bs4 import BeautifulSoup
from index_cards import LONG
from set_repository import address, updated, version
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace
from wsss_book import FOLDED, at_this_version, figure_text, look_up

from experiments.doses import FAMILIES
from wsss_lib import survey
from wsss_lib.core import InputError
from wsss_lib.data.toy import KINDS
from wsss_lib.methods.segmentation.segmenter import Segmenter

RUN = {"seed": 0, "miou": 0.4}


def result(method: str, mean: float, n: int = 3, **extra: object) -> dict:
    protocol = {"labels_at_inference": True, "threshold_rule": "held-out"}
    summary = {
        "miou": {"mean": mean, "sd": 0.0123, "n": n},
        "seconds": {"mean": 12.4, "sd": 1.0, "n": n},
    }
    runs = [RUN] * n
    summary |= extra.pop("figures", {})
    content = {"method": method, "data": "toy", "protocol": protocol, "runs": runs}
    return {**content, "summary": summary, **extra}


@pytest.fixture
def build(tmp_path, monkeypatch):
    """Build one Markdown page; gives the page and the warnings."""
    results = tmp_path / "results" / "toy"
    results.mkdir(parents=True)
    gain = {"mean": 0.051, "sd": 0.004, "n": 3}
    for content in (result("cam", 0.4567), result("pamr", 0.5, gain_over_cam=gain)):
        (results / f"{content['method']}.json").write_text(json.dumps(content))
    monkeypatch.setenv("WSSS_RESULTS", str(tmp_path / "results"))

    def build(text: str) -> tuple[BeautifulSoup, str]:
        source, out = tmp_path / "source", tmp_path / "out"
        source.mkdir(exist_ok=True)
        (source / "conf.py").write_text(
            "extensions = ['myst_parser', 'wsss_book', 'folding', 'index_cards', 'bench_table', "
            "'diagrams.directive', 'dose_table', 'recipes_table', 'survey_table', "
            "'linked_figures', 'reported_table']\n"
            "myst_enable_extensions = ['colon_fence', 'dollarmath']\n"
        )
        (source / "index.md").write_text("# Page\n\n" + text)
        warnings = StringIO()
        folders = [str(path) for path in (source, source, out, tmp_path / "tree")]
        with docutils_namespace():  # extensions register anew for every build
            Sphinx(*folders, "html", status=None, warning=warnings, freshenv=True).build()
        return BeautifulSoup((out / "index.html").read_text(), "html.parser"), warnings.getvalue()

    return build


def test_a_result_is_mean_and_spread(build):
    page, warnings = build("It reaches {result}`toy/cam:miou` in {result}`toy/cam:seconds` s.")
    assert not warnings
    found = [span.text for span in page.find_all("span", class_="result")]
    assert found == ["0.457 ± 0.012", "12 ± 1"]


def test_a_paired_gain_and_a_difference(build):
    page, warnings = build(
        "{result}`toy/pamr:gain_over_cam` and {result}`toy/pamr:miou - toy/cam:miou`, "
        "{result}`toy/cam:miou - toy/pamr:miou`"
    )
    assert not warnings
    found = [span.text for span in page.find_all("span", class_="result")]
    assert found == ["+0.051 ± 0.004", "+0.043", "−0.043"]


def test_the_iou_of_one_class_comes_from_the_runs():
    runs = [{"iou": [0.9, 0, 0, boat, 0, 0, 0]} for boat in (0.2, 0.4)]
    assert figure_text({"method": "cam", "runs": runs}, "iou_boat") == "0.300 ± 0.141"
    for strange in ([{"miou": 0.5}], [{"iou": [0.9, 0, 0, None, 0, 0, 0]}]):
        with pytest.raises(InputError, match="has no figure 'iou_boat'"):
            figure_text({"method": "cam", "runs": strange}, "iou_boat")


def test_one_run_has_no_spread():
    assert figure_text(result("cam", 0.5, n=1), "miou") == "0.500"


@pytest.mark.parametrize(
    ("target", "complaint"),
    [
        ("toy/nothing:miou", "No result at"),
        ("toy/cam:speed", "has no figure 'speed'"),
        ("toy/cam", "write it as data/method:figure"),
        ("toy/cam:miou - toy/nothing:miou", "No result at"),
    ],
)
def test_a_missing_figure_is_a_warning(build, target, complaint):
    page, warnings = build(f"{{result}}`{target}`")
    assert complaint in warnings
    assert page.find("span", class_="missing")


def test_look_up_reads_the_file(build):
    assert look_up("toy/cam:miou")[0]["method"] == "cam"
    with pytest.raises(InputError):
        look_up("toy/cam")


def test_results_table(build):
    page, warnings = build(
        "```{results-table} toy/pamr toy/cam\n:metrics: miou gain_over_cam\n:reported:\n```"
    )
    assert not warnings
    rows = [[cell.text.strip() for cell in row.find_all(["th", "td"])] for row in page("tr")]
    assert rows[0][:3] == ["system", "mIoU", "paired gain over CAM"]
    assert rows[1][:3] == ["PAMR", "0.500 ±\xa00.012", "+0.051 ±\xa00.004"]
    assert rows[2] == ["CAM", "0.457 ±\xa00.012", "–", "–"]


def test_what_rows_share_of_their_protocol_is_a_note_and_the_rest_has_columns(build, tmp_path):
    text = "```{results-table} toy/pamr toy/cam\n:metrics: miou\n```"
    page, warnings = build(text)
    assert not warnings
    assert [cell.text.strip() for cell in page("th")] == ["system", "mIoU"]
    note = page.find("p", class_="table-note").text
    assert note == (
        "All rows: labels known at inference; threshold chosen on held-out images. "
        "± is the standard deviation over 3 runs."
    )
    other = result("pamr", 0.5, n=1)
    other["protocol"] = {"labels_at_inference": False, "threshold_rule": "held-out"}
    (tmp_path / "results" / "toy" / "pamr.json").write_text(json.dumps(other))
    page, _ = build(text)
    rows = [[cell.text.strip() for cell in row.find_all(["th", "td"])] for row in page("tr")]
    assert rows[0][2:] == ["labels known", "runs"]
    assert [row[2:] for row in rows[1:]] == [["no", "1"], ["yes", "3"]]
    note = page.find("p", class_="table-note").text
    assert note == (
        "All rows: threshold chosen on held-out images. "
        "± is the standard deviation over 1 or 3 runs."
    )
    other["protocol"]["threshold_rule"] = "argmax"
    (tmp_path / "results" / "toy" / "pamr.json").write_text(json.dumps(other))
    page, _ = build(text)
    note = page.find("p", class_="table-note").text
    assert note == "± is the standard deviation over 1 or 3 runs."
    page, _ = build("```{results-table} toy/pamr\n:metrics: miou\n```")
    note = page.find("p", class_="table-note").text
    assert note == (
        "All rows: labels not known at inference; labels by the network\u2019s own argmax. 1 run."
    )
    page, _ = build("```{results-table} toy/pamr\n:metrics: miou\n:bare:\n```")
    assert page.find("p", class_="table-note") is None


def test_results_table_takes_patterns_and_sorts(build):
    page, warnings = build("```{results-table} toy/*\n:metrics: miou\n```")
    assert not warnings
    assert [row.td.text.strip() for row in page("tr")[1:]] == ["CAM", "PAMR"]


def test_a_bare_table_still_names_its_spread(build):
    page, _ = build("```{results-table} toy/cam\n:metrics: miou\n:bare:\n```")
    note = page.find("p", class_="table-note").text
    assert note == "± is the standard deviation over 3 runs."


def test_a_table_has_one_device(build, tmp_path):
    other = result("pamr", 0.5, device="NVIDIA H200")
    (tmp_path / "results" / "toy" / "pamr.json").write_text(json.dumps(other))
    page, warnings = build("```{results-table} toy/cam toy/pamr\n:metrics: miou\n```")
    assert "one device a table" in warnings
    assert page.table is None
    cpu = result("pamr", 0.5, device="CPU, x86_64, 2 cores")
    (tmp_path / "results" / "toy" / "pamr.json").write_text(json.dumps(cpu))
    assert not build("```{results-table} toy/cam toy/pamr\n:metrics: miou\n```")[1]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ("toy/x*", "no result matches"),
        ("toy/nothing", "No result at"),
        ("toy/cam\n:metrics: speed", "none of these results has a figure 'speed'"),
    ],
)
def test_results_table_complains(build, arguments, complaint):
    assert complaint in build(f"```{{results-table}} {arguments}\n```")[1]


def test_card_says_everything_and_is_linked(build):
    text = "```{system-card} affinitynet\n```\n\n```{systems-table}\n```"
    page, warnings = build(text)
    assert not warnings
    box = page.find(class_="card-box")
    card = survey.find_cards()["affinitynet"]
    for words in (card.title, card.authors, *card.differs, "61.7", "the scores of an earlier"):
        assert words in " ".join(box.text.split()), words
    assert page.find(id="system-affinitynet")
    links = [a["href"] for a in page.find("table").find_all("a")]
    assert "#system-affinitynet" in links
    assert "#system-cam" not in links  # CAM is built, but this little book has no page for it


def test_marks_of_a_figure_lead_to_the_cards_of_this_book(build):
    text = (
        "```{system-card} seam\n```\n\n```{linked-figure} taxonomy\n:name: fig-map\nThe *map*.\n```"
    )
    page, warnings = build(text + "\n\n{ref}`here <fig-map>`")
    assert not warnings
    figure = page.find("figure", id="fig-map")
    assert "The map." in figure.figcaption.text
    assert {a["href"] for a in figure.find_all("a", class_="built")} == {"#system-seam"}
    assert page.find(id="system-seam")
    assert "no figure 'nothing'" in build("```{linked-figure} nothing\n```")[1]


@pytest.mark.parametrize("id", ["pamr", "densecrf"])
def test_what_learns_nothing_says_so(build, id):
    page, _ = build(f"```{{system-card}} {id}\n```")
    assert "Learns from: nothing" in " ".join(page.find(class_="card-box").text.split())


def test_a_network_of_the_last_stage_learns_from_labels_of_others(build):
    page, _ = build("```{system-card} segmenter\n```")
    text = " ".join(page.find(class_="card-box").text.split())
    assert "Learns from: pseudo-labels of an earlier stage, or masks" in text
    assert "Hidden supervision: that of its pseudo-labels" in text


def test_many_differences_are_folded_and_few_are_not(build):
    cards = survey.find_cards()
    many = next(card for card in cards.values() if len(" ".join(card.differs)) > 2 * LONG)
    few = next(card for card in cards.values() if 0 < len(" ".join(card.differs)) < LONG)
    for card, folded in ((many, True), (few, False)):
        page, _ = build(f"```{{system-card}} {card.id}\n```")
        assert bool(page.find("details", class_="card-fold")) is folded
        assert card.differs[0].split("`")[0].split()[0] in page.find(class_="card-box").text


def test_a_card_says_what_reported_figures_have_learned_from(build):
    said = build("```{system-card} rca\n```")[0].find(class_="card-box").text
    # No network is named, and there are no brackets for it.
    assert "test 72.8; learned from image labels and, through its host, saliency" in said
    assert "(ResNet101); learned from" in build("```{system-card} edam\n```")[0].text
    assert "learned from" not in build("```{system-card} seam\n```")[0].text


def test_a_card_says_what_a_reported_figure_needs_and_ours_does_not(build):
    said = build("```{system-card} split_merge\n```")[0].find(class_="card-box").text
    assert "test 66.7 (ResNet50); needs saliency as well, in a place that the source leaves" in said
    # Nobody has checked it of MDC, and the card of EPS says it elsewhere.
    for id in ("mdc", "eps"):
        assert "as well" not in build(f"```{{system-card}} {id}\n```")[0].find("dl").text


def test_unknown_card(build):
    assert "no system 'nothing'" in build("```{system-card} nothing\n```")[1]


def test_systems_table_lists_all_by_family(build):
    page, _ = build("```{systems-table}\n```")
    rows = page("tr")[1:]
    assert len(rows) == 79 + len(survey.FAMILIES)
    built = sum(row("td")[3].text.strip() == "built" for row in rows)
    assert built == sum(system.card is not None for system in survey.systems())


def test_how_many_systems_are_built_is_counted(build):
    page, warnings = build("{systems}`built` of {systems}`all`")
    assert not warnings
    built = sum(system.card is not None for system in survey.systems())
    assert page.p.text == f"{built} of 79"


def test_a_file_of_the_repository_is_linked_at_this_version(build):
    page, warnings = build("{repository}`CONTRIBUTING.md`")
    assert not warnings
    assert page.p.a["href"] == f"{address()}/blob/v{version()}/CONTRIBUTING.md"
    assert "no file 'NOTHING.md'" in build("{repository}`NOTHING.md`")[1]


def test_errata_table_prints_what_was_checked_and_counts_the_rest(build):
    page, _ = build("```{errata-table}\n```")
    checked = [item for item in survey.errata() if item.checked]
    assert [row("td")[3].text.strip() for row in page("tr")[1:]] == [x.correct for x in checked]
    rest = len(survey.errata()) - len(checked)
    assert rest > 0
    assert f"{len(checked)} corrections; {rest} more are suspected" in page.text


def test_a_notebook_opens_on_colab_at_the_version_that_it_installs(root):
    link = "https://colab.research.google.com/github/a/b/blob/main/book/cam/cam_from_scratch.ipynb"
    opened = at_this_version(link)
    assert opened == link.replace("/main/", f"/v{version()}/")
    first = (root / "book/cam/cam_from_scratch.ipynb").read_text()
    assert f"--branch v{version()} " in first


def test_a_page_is_described_by_its_first_sentences(build):
    page, _ = build("```{note}\nAside.\n```\n\nWhat *one* reads & sees.")
    (meta,) = page.find_all("meta", attrs={"name": "description"})
    assert meta["content"] == "What one reads & sees."


QUIZ = """:::{quiz}
What is $1 + 1$?

- [ ] 1

  That is one of them.

- [x] 2, *of course*

  Well done.
:::
"""


def test_quiz_works_without_a_script(build):
    page, warnings = build(QUIZ)
    assert not warnings
    options = page.find_all("details")
    assert [option.summary.text.strip() for option in options] == ["1", "2, of course"]
    assert [option["class"] for option in options] == [
        ["quiz-option", "wrong"],
        ["quiz-option", "right"],
    ]
    assert "Not so. That is one of them." in " ".join(options[0].text.split())
    assert "Right. Well done." in " ".join(options[1].text.split())
    assert not page.find(class_="quiz").find_all(["script", "ul"])


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("[x]", "[ ]", "exactly one right option, not 0"),
        ("[ ]", "[x]", "exactly one right option, not 2"),
        ("  That is one of them.\n", "", "has feedback below it"),
        ("- [ ] 1", "- 1", "begins with [x] or [ ]"),
        ("- [ ] 1\n\n  That is one of them.\n\n- [x] 2, *of course*\n\n  Well done.", "", "list"),
    ],
)
def test_a_broken_quiz_is_a_warning(build, old, new, complaint):
    assert complaint in build(QUIZ.replace(old, new))[1]


def test_repository_and_version_agree_everywhere(root):
    files = [*(root / "book").rglob("*.ipynb"), *(root / "book").rglob("*.md"), root / "README.md"]
    for path in files:
        text = path.read_text()
        assert updated(text) == text, f"{path}: run `make repository`"


def test_repository_is_copied():
    clone = '!git clone --quiet --depth 1 --branch v0.0.1 https://example.org/a/b wsss\\n"'
    assert updated(clone) == (
        f'!git clone --quiet --depth 1 --branch v{version()} {address()} wsss\\n"'
    )
    assert updated("see https://example.org/a/b") == "see https://example.org/a/b"


def test_every_module_of_the_library_has_its_place_in_the_api_pages(root):
    pages = "".join(path.read_text() for path in (root / "book/reference/api").glob("*.md"))
    named = set(re.findall(r"automodule:: (\S+)", pages))
    modules = {
        ".".join(path.relative_to(root).with_suffix("").parts)
        for path in (root / "wsss_lib").rglob("*.py")
        if path.name != "__init__.py"
    }
    private = {name for name in modules if name.startswith("wsss_lib.cli.")}
    assert named == modules - private, "pages below book/reference/api list the library's modules"
    assert len(named) == len(re.findall("automodule::", pages))


def test_pages_type_no_figures(root: Path):
    """A measured figure in the prose comes from a result file, never from a keyboard."""
    for path in (root / "book").rglob("*.md"):
        prose = re.sub(r"(?ms)^(:{3,}|`{3,}).*?^\1\s*$|\$.*?\$|`.*?`", "", path.read_text())
        assert not re.findall(r"(?<![\w.])0?\.\d{2,}|\d+\.\d+ ?%", prose), path


def test_the_bench_table_shows_ratios_and_the_machine(build, tmp_path):
    page, warnings = build("```{bench-table}\n```\n")
    assert "run make bench" in warnings
    assert page.table is None
    bench = tmp_path / "results" / "bench"
    bench.mkdir()
    times = [{"ours_seconds": 0.5, "peer_seconds": 1.0, "ratio": 2.0}] * 3
    found = {
        "operation": "PAMR", "size": "2 × 8 × 8", "peer": "gathering", "runs": times, "ratio": 2.0,
        "difference": 1e-6, "ours_peak_mb": 3.2, "peer_peak_mb": 40.1, "device": "CPU, 2 cores",
        "threads": 2, "torch": "2.15",
    }  # fmt: skip
    (bench / "pamr.json").write_text(json.dumps(found))
    page, warnings = build("```{bench-table}\n```\n")
    assert not warnings
    cells = [cell.get_text().strip() for cell in page.tbody.find_all("td")]
    size = "2\xa0×\xa08\xa0×\xa08"
    assert cells == [
        "PAMR", size, "0.50 s", "gathering", "1.0 s", "2.0", "–", "< 0.00001", "3 / 40", "–"
    ]  # fmt: skip
    assert "CPU, 2 cores, 2 threads" in page.get_text()
    more = found | {"ratio_one_thread": 0.834, "difference": 0.00332}
    (bench / "pamr.json").write_text(json.dumps(more))
    page, _ = build("```{bench-table}\n```\n")
    cells = [cell.get_text().strip() for cell in page.tbody.find_all("td")]
    assert cells[5:8] == ["2.0", "0.83", "0.003"]


def test_the_standard_table_has_gains_in_front_and_every_figure_folded(build, tmp_path):
    folder = tmp_path / "results" / "standard"
    folder.mkdir()
    names = (name for metrics in FOLDED.values() for name in metrics if "iou_" not in name[:4])
    figures = {name: {"mean": 0.25, "sd": 0.01, "n": 3} for name in names}
    gain = {"mean": 0.04, "sd": 0.02, "n": 3}
    runs = [{"seed": 0, "miou": 0.5, "iou": [0.9, *[0.1 * k for k in range(1, 7)]]}] * 3
    for content in (
        result("cam", 0.5, figures=figures),
        result("seam", 0.54, figures=figures, gain_over_cam=gain),
    ):
        (folder / f"{content['method']}.json").write_text(json.dumps({**content, "runs": runs}))
    page, warnings = build("```{standard-table} cam seam\n```\n")
    assert not warnings
    first, *folded = page("table")
    rows = [[cell.text.strip() for cell in row.find_all(["th", "td"])] for row in first("tr")]
    assert rows[0] == ["system", "mIoU", "paired gain over CAM", "paper, VOC val"]
    assert rows[2][:3] == ["SEAM", "0.540 ±\xa00.012", "+0.040 ±\xa00.020"]
    assert len(folded) == len(FOLDED)
    assert all(table.find_parent(class_="dropdown") for table in folded)
    heads = [cell.text.strip() for cell in folded[1].thead("th")]
    assert heads == ["system", "background", *KINDS]
    assert folded[1].tbody("td")[2].text.strip() == "0.100 ±\xa00.000"
    # Masks of a system that answers with labels have no other threshold.
    few = {name: figure for name, figure in figures.items() if name != "otsu_miou"}
    boxes = {**result("grabcut", 0.7, figures=few), "runs": runs}
    (folder / "grabcut.json").write_text(json.dumps(boxes))
    page, warnings = build("```{standard-table} grabcut\n```\n")
    assert not warnings
    assert "Otsu" not in page.text
    _, warnings = build("```{standard-table} cam oaa\n```\n")
    assert "No result at" in warnings


def test_the_plan_of_the_measurements_is_shown_with_its_home_doses(build):
    page, warnings = build("```{family-table}\n```\n\n```{home-table}\n```\n")
    assert "home-table: no curves" in warnings
    assert len(page("tr")) == 1 + len(FAMILIES)
    for row, (name, family) in zip(page("tr")[1:], FAMILIES.items(), strict=True):
        cells = row("td")
        assert cells[0].text.strip() == name.replace("_", " ")
        assert cells[3].strong.text == f"{family.doses[family.home].value:g}"


def test_gains_stand_at_their_doses_and_in_the_prose(build, tmp_path):
    page, warnings = build("```{dose-table} erasing\n```\n\n{gain}`erasing/cse`\n")
    assert "no curve of 'erasing'" in warnings
    assert "No result at" in warnings
    folder = tmp_path / "results" / "curves" / "erasing"
    folder.mkdir(parents=True)
    gains = [(0, 0.02), (0, 0.04), (1, 0.1), (1, 0.2), (1, 0.3), (2, -0.01)]
    curve = {
        "system": "cse", "control": "cam_600", "doses": [0.9, 0.7, 0.5], "home": 1,
        "axis": "how telling", "response_name": "bodies found",
        "runs": [
            {"dose": dose, "gain": gain, "control": 0.3, "response": 0.3 + gain}
            for dose, gain in gains
        ],
    }  # fmt: skip
    (folder / "cse.json").write_text(json.dumps(curve))
    page, warnings = build(
        "```{dose-table} erasing\n```\n\n{gain}`erasing/cse`, {gain}`erasing/cse:2`\n"
    )
    assert not warnings
    rows = [[cell.text.strip() for cell in row.find_all(["th", "td"])] for row in page("tr")]
    assert rows == [
        ["system", "control", "0.9", "0.7 (home)", "0.5"],
        ["OC-CSE", "CAM, 600 steps", "+0.030", "+0.200 ±\xa00.115", "−0.010"],
    ]
    note = page.find("p", class_="table-note").text
    assert "bodies found" in note
    assert "3 worlds at the home dose" in note
    found = [span.text for span in page.find_all("span", class_="result")]
    assert found == ["+0.200 ±\xa00.115", "−0.010"]
    page, warnings = build("```{home-table}\n```\n")
    assert not warnings
    rows = [[cell.text.strip() for cell in row.find_all("td")] for row in page("tr")[1:]]
    assert rows == [
        ["OC-CSE", "CAM, 600 steps", "bodies found", "0.300", "0.500", "+0.200 ±\xa00.115"]
    ]
    _, warnings = build("{gain}`erasing/cse:3`\n")
    assert "gain: " in warnings


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(187.4, 2, "190"), (3.16, 1, "3"), (0.2265, 2, "0.23"), (0.00018, 1, "0.0002")],
)
def test_a_figure_has_no_exponent(value, digits, text):
    assert figure(value, digits) == text


def test_what_came_after_is_drawn_from_data_with_its_sources(build):
    source = "```{after-table}\n```\n\n```{model-table}\n```\n\n{after}`dupl_21k:val - dupl:val`"
    page, warnings = build(source + " {after}`excel:test`")
    assert not warnings
    systems, models = page.find_all("table")
    lines = survey.after()
    assert len(systems.tbody("tr")) == len(lines) + len(survey.DIRECTIONS)
    assert len(models.tbody("tr")) == len(survey.large_models())
    links = {link["href"] for link in systems.find_all("a")}
    assert links == {line.source for line in lines}
    text = page.text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    assert all(line.read in text for line in lines)
    assert [span.text for span in page.find_all("span", class_="result")] == ["+1.1", "78.5"]
    assert "no figure 's2c:val'" in build("{after}`s2c:val`")[1]
    assert "no figure 'nobody:val'" in build("{after}`nobody:val`")[1]


def test_table_1_is_drawn_where_it_stands_with_links_and_its_script(build):
    page, warnings = build("(system-eps)=\n## EPS\n\n```{reported-table}\n```\n")
    assert not warnings
    box = page.find("div", class_="reported-table")
    assert len(box.tbody("tr")) == len(survey.reported("table1"))
    assert box.find("tr", attrs={"data-system": "eps"}).th.a["href"].endswith("#system-eps")
    assert box.find("tr", attrs={"data-system": "seam"}).th.a is None
    assert "not measured yet" in box.text  # no results lie here
    assert "aria-sort" in box.find_next_sibling("script").string
    assert "†" in page.find("p", class_="table-note").text


def test_another_table_is_drawn_where_it_is_named(build):
    page, warnings = build("```{reported-table} table2\n```\n")
    assert not warnings
    box = page.find("div", class_="reported-table")
    assert len(box.tbody("tr")) == len(survey.reported("table2"))
    assert "what the line is" in box.thead.text
    assert "§" in page.find("p", class_="table-note").text
    assert "no table 'table9'" in build("```{reported-table} table9\n```\n")[1]


def test_hours_and_memory_of_a_recipe_come_from_photographs(build, tmp_path):
    folder = tmp_path / "results" / "voc_size"
    folder.mkdir()
    summary = {"step_ms": 10.0, "answer_ms": 20.0, "weights_m": 50.0, "answer_mb": 300.0}
    for id, step_mb in (("cam", 2000.0), ("segmenter", 100.0)):
        means = {name: {"mean": mean} for name, mean in (summary | {"step_mb": step_mb}).items()}
        (folder / f"{id}.json").write_text(json.dumps({"summary": means}))
    page, warnings = build("```{recipes-table}\n```")
    assert not warnings
    rows = {
        row.td.text.strip(): [cell.text.strip() for cell in row("td")] for row in page("tr")[1:]
    }
    assert rows["CAM"][1:4] == ["cam, segmenter", "16 × 512", "3,000"]
    assert rows["IRNet"][1] == "cam, irnet, segmenter"
    assert rows["ToCo"][1] == "toco"
    training = 3000 * 16 * 10 / 3.6e6 * (512 / 513) ** 2
    recipe = Segmenter.recipe
    network = recipe.steps * recipe.batch_size * 10 / 3.6e6 * (recipe.crop / 513) ** 2
    answers = 2 * 10_582 * 20 / 3.6e6
    assert rows["CAM"][4] == f"{training + network + answers:.1f}"
    # 50 million weights, and eight times what two photographs take.
    assert rows["CAM"][5] == f"{(50e6 * 4 + 8 * 2000 * 2**20 * (512 / 513) ** 2) / 1e9:.0f}" == "17"
    assert rows["SEAM"][4:6] == ["–", "–"]

    estimate, _ = build("```{coco-estimate} cam\n```")
    found = [[cell.text.strip() for cell in row("td")] for row in estimate("tr")[1:]]
    assert found[0][:2] == ["CAM", "48,000"]
    assert float(found[0][2]) == pytest.approx(training + answers / 2, abs=0.05)
    times = 82_783 / 10_582
    assert float(found[0][4]) == pytest.approx(times * (training + answers / 2), abs=0.05)


def test_settings_of_recipes_name_networks_and_rates(build):
    page, warnings = build("```{recipe-settings}\n```")
    assert not warnings
    rows = {
        row.td.text.strip(): [cell.text.strip() for cell in row("td")] for row in page("tr")[1:]
    }
    assert rows["CAM"][1:] == ["ResNet-50", "SGD", "0.1", "× 10", "0.0001", "320 to 640 px"]
    assert rows["MCTformer"][1:4] == ["DeiT-S/16", "AdamW", "6.25e-05"]
    assert rows["CLIMS"][1] == "ResNet-50, CLIP ViT-B"
    assert "GrabCut" not in rows


def test_a_diagram_is_a_figure_with_a_caption_and_a_label(build):
    page, warnings = build(
        "```{diagram} cam\nMaps *before* the mean.\n```\n\nSee [it](fig-diagram-cam).\n"
    )
    assert not warnings
    figure = page.find("figure")
    assert figure["id"] == "fig-diagram-cam"
    assert figure.find("svg").find("title").text == "CAM"
    assert figure.find("figcaption").find("em").text == "before"
    assert page.find("a", href="#fig-diagram-cam")


def test_a_diagram_without_a_caption_or_a_system_is_a_warning(build):
    assert "cam has no caption" in build("```{diagram} cam\n```\n")[1]
    assert "no diagram 'dog'" in build("```{diagram} dog\nA dog.\n```\n")[1]


def test_the_cost_table_has_every_system_of_its_labels(build, tmp_path):
    def cost(folder: str, id: str, **means: float) -> None:
        path = tmp_path / "results" / folder / f"{id}.json"
        path.parent.mkdir(exist_ok=True)
        summary = {name: {"mean": mean, "sd": 0.0, "n": 3} for name, mean in means.items()}
        path.write_text(json.dumps(result(id, 0.5) | {"summary": summary}))

    cost("voc_size_cpu", "cam", weights_m=23.5, answer_ms=12345, answer_mb=1290.7, step_ms=850,
         step_mb=2040.2)  # fmt: skip
    cost("voc_size", "advcam", weights_m=23.5, answer_ms=4321, answer_mb=800)
    page, warnings = build("```{cost-table} image_level\n```\n")
    assert not warnings
    rows = {
        cells[0].get_text().strip(): [cell.get_text().strip() for cell in cells[1:]]
        for cells in (row.find_all("td") for row in page.tbody.find_all("tr"))
    }
    built = [
        card.name for card in survey.find_cards().values() if card.family.startswith("image_level/")
    ]
    assert list(rows) == built
    nothing = ["not measured", "", ""]
    assert rows["CAM"] == ["24", "12 s", "0.85 s", "1,291 / 2,040", *nothing]
    assert rows["AdvCAM"] == ["24", *nothing, "4300 ms", "–", "800 / –"]
    assert rows["SEAM"] == ["–", *nothing, *nothing]
    (tmp_path / "results" / "voc_size_cpu" / "cam.json").unlink()
    page, _ = build("```{cost-table} image_level\n```\n")
    heads = [cell.get_text().strip() for cell in page.thead.find_all("th")]
    assert heads == ["system", "M weights", "GPU: answer", "step", "MiB"]
