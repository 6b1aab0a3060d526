"""Published gains beside ours, and what offline and online training take."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from IPython.display import Markdown
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox
from measured import called, error_of, results_folder, table
from recipes_table import cost_of, gpu_gigabytes, gpu_hours
from reported_table import Measured, measured
from scipy.stats import spearmanr
from survey_figures import leaves_of, style_of

from wsss_lib import survey
from wsss_lib.core import InputError
from wsss_lib.recipes import chain
from wsss_lib.results import read_result
from wsss_lib.show.picture import FONT, INK, WIDTH, Picture, drawn_on, line_colour, make_plain

ENOUGH = 8
"""Systems that a rank correlation needs before it is printed."""
HEIGHTS = (4, -2, -12, 12, 20, -20, 28, -28, 36, -36, 44)
SIDES = tuple((sideways, up) for up in HEIGHTS for sideways in (6, -6))
"""Where a name may stand beside its dot, in points; the first place that is free is taken."""
DRAWS = 2_000
"""Samples with replacement that its interval is read from."""
CHAINS = (
    ("cam", "segmenter_cam"),
    ("cam", "pamr", "segmenter_pamr"),
    ("cam", "affinitynet", "segmenter_affinitynet"),
)
"""Offline systems of the toy world whose every stage is stored, the last one a network."""
ONLINE = "image_level/online"


@dataclass(frozen=True)
class Published:
    """A system whose gain is published, and what we measured of it.

    Attributes:
        seed: the published figures.
        family: leaf of the taxonomy.
        home: at the home dose of its family; None where it was not measured.
        standard: gain in mean IoU over CAM in each world of the standard table; empty where it
            was not measured.
    """

    seed: survey.Seed
    family: str
    home: Measured | None
    standard: list[float]


def published() -> list[Published]:
    """All systems whose published gain could be read, in the order of the taxonomy."""
    known, seeds = measured(), {seed.system: seed for seed in survey.seeds()}
    return [
        Published(
            seed=seeds[system.id],
            family=system.family,
            home=known.get(system.id),
            standard=gains_over_cam(system.id),
        )
        for system in survey.systems()
        if system.id in seeds
    ]


def gains_over_cam(id: str) -> list[float]:
    """Paired gain in mean IoU over CAM in the standard world; empty where one was not measured."""
    try:
        ours, cam = (
            read_result(results_folder() / f"standard/{name}.json")["runs"] for name in (id, "cam")
        )
    except InputError:
        return []
    floor = {run["world"]: run["miou"] for run in cam}
    return [run["miou"] - floor[run["world"]] for run in ours if run["world"] in floor]


def published_figure() -> Picture:
    """Published gain at the seed stage against ours: by its own response, and in mean IoU."""
    figure = Picture(figsize=(WIDTH, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    home = [one for one in published() if one.home]
    standard = [one for one in published() if len(one.standard) > 1]
    bars_left = _dots(left, home, [one.home.gains for one in home if one.home])
    bars_right = _dots(right, standard, [[100 * gain for gain in one.standard] for one in standard])
    left.set_ylabel("our gain over its control, own count", fontsize=FONT)
    right.set_ylabel("our gain over CAM, points of mean IoU", fontsize=FONT)
    most = max(one.seed.gain for one in published())
    right.plot([0, most], [0, most], color=INK, linewidth=0.8, linestyle=":")
    right.annotate(
        "equal", (most, most), color=INK, fontsize=FONT - 1, ha="right", va="bottom",
        textcoords="offset points", xytext=(-4, 2),
    )  # fmt: skip
    for axis in (left, right):
        make_plain(axis)
        axis.axhline(0, color=INK, linewidth=0.8)
        axis.set_xlim(0, 1.16 * most)
        axis.set_xlabel("published gain over CAM, points of mIoU", fontsize=FONT)
    counted: dict[str, list[str]] = {one.family: [] for one in [*home, *standard]}
    for one in home:
        counted[one.family] += [one.home.response] if one.home else []
    leaves = [leaf for leaf in leaves_of("table1") if leaf in counted]
    figure.legend(
        [Line2D([], [], linestyle="", markersize=7, **style_of(leaf)) for leaf in leaves],
        [
            f"{survey.FAMILIES[leaf].removeprefix('Image labels: ')}: "
            f"{', '.join(dict.fromkeys(counted[leaf]))}"
            for leaf in leaves
        ],
        fontsize=FONT, labelcolor=INK, frameon=False, ncols=2, loc="outside lower center",
    )  # fmt: skip
    figure.draw_without_rendering()  # until then nobody knows where the axes lie
    zero = [(0.0, 0.0), (1.16 * most, 0.0)]
    point = figure.dpi / 72
    _names(left, point, bars_left, [zero])
    _names(right, point, bars_right, [zero, [(0.0, 0.0), (most, most)]])
    return figure


Bars = Sequence[tuple[str, float, float, float]]
"""Of each dot: the system, the published gain, ours, and half of its bar."""


def _dots(axis: Axes, found: Sequence[Published], gains: Sequence[list[float]]) -> Bars:
    """A dot with its bar for each system; hollow where the published CAM is another paper's."""
    bars = []
    for one, values in zip(found, gains, strict=True):
        style, own = style_of(one.family), one.seed.cam_of == one.seed.system
        bars.append((one.seed.system, one.seed.gain, float(np.mean(values)), error_of(values)))
        _, place, mean, error = bars[-1]
        axis.errorbar(
            place, mean, yerr=error, linestyle="", markersize=7, capsize=3, linewidth=1.2,
            markeredgewidth=1.5, label=one.seed.system,
            markerfacecolor=style["color"] if own else "none", **style,
        )  # fmt: skip
    return bars


def _names(
    axis: Axes, point: float, bars: Bars, lines: Sequence[Sequence[tuple[float, float]]]
) -> None:
    """The name beside each dot, off all dots, bars, lines, the frame and other names.

    Args:
        axis: whose place in the figure is settled.
        point: in pixels.
        bars: of its dots.
        lines: their ends, in the units of the axis.
    """
    to_pixels = axis.transData.transform
    taken = []
    for _, place, mean, error in bars:
        taken.append(Bbox(to_pixels([(place, mean - error), (place, mean + error)])))
        taken.append(Bbox(to_pixels([(place, mean)] * 2)))
    taken = [box.padded(3 * point) for box in taken]
    for ends in lines:
        start, end = to_pixels(ends)
        spots = [start + share * (end - start) for share in np.linspace(0, 1, 200)]
        taken += [Bbox([spot, spot]).padded(point) for spot in spots]
    frame = axis.get_window_extent()
    for system, place, mean, _ in bars:
        tries: list[tuple[int, Annotation]] = []
        for sideways, up in SIDES:
            name = axis.annotate(
                called(system), (place, mean), color=INK, fontsize=FONT - 1,
                textcoords="offset points", xytext=(sideways, up),
                ha="left" if sideways > 0 else "right",
            )  # fmt: skip
            box = name.get_window_extent()
            outside = not (frame.contains(*box.min) and frame.contains(*box.max))
            tries.append((box.count_overlaps(taken) + len(taken) * outside, name))
        _, best = min(tries, key=lambda one: one[0])  # the first of those that cover least
        taken.append(best.get_window_extent())
        for _, name in tries:
            if name is not best:
                name.remove()


def spread_within_leaves() -> Markdown:
    """How far apart lines of Table 1 lie that share their leaf and their year."""
    family = {system.id: system.family for system in survey.systems()}
    strips: dict[tuple[str, int], list[float]] = {}
    for line in survey.reported("table1"):
        if line.val is not None:
            strips.setdefault((family[line.system], line.year), []).append(line.val)
    found = [max(values) - min(values) for values in strips.values() if len(values) > 1]
    return Markdown(
        f"{len(found)} times a leaf has two rows or more in one year. The best of them and the "
        f"worst lie between {min(found):.1f} and {max(found):.1f} points apart; the median is "
        f"{float(np.median(found)):.1f}."
    )


def whose_masks() -> Markdown:
    """How many lines of Table 1 stand on saliency, and how many of them we only remember."""
    lines = survey.reported("table1")
    found = [survey.hidden()[line.system] for line in lines if line.system in survey.hidden()]
    unsure = sum(not one.checked for one in found)
    return Markdown(
        f"Of its {len(lines)} lines {len(found)} stand on saliency maps; of {unsure} of these we "
        "only remember it. A line without the mark is one of which we know of none."
    )


def agreement() -> Markdown:
    """Whether a published gain tells ours: a rank correlation, where enough systems have both."""
    pairs = [(p.seed.gain, float(np.mean(p.standard))) for p in published() if p.standard]
    return Markdown(agreement_text(pairs))


def agreement_text(pairs: Sequence[tuple[float, float]]) -> str:
    """What can be said of so many pairs of a published gain and ours.

    Args:
        pairs: published gain, our gain in mean IoU.
    """
    count = len(pairs)
    if count < ENOUGH:
        return (
            f"Both gains in mean IoU are known of {count} systems. A rank correlation of so few "
            f"would say next to nothing, so none is printed; with {ENOUGH} it will be, with its "
            "uncertainty."
        )
    values, generator = np.array(pairs), np.random.default_rng(0)
    draws = [values[generator.integers(count, size=count)] for _ in range(DRAWS)]
    ranks = [spearmanr(*draw.T).statistic for draw in draws if np.ptp(draw, axis=0).all()]
    low, high = np.percentile(ranks, [2.5, 97.5])
    found = spearmanr(*values.T).statistic
    text = (
        f"Over {count} systems the rank correlation of the two gains in mean IoU is {found:.2f}; "
        f"systems drawn anew with replacement put it between {low:.2f} and {high:.2f} in "
        "nineteen draws of twenty."
    )
    return text.replace("-", "\N{MINUS SIGN}")


def who_is_left_out() -> Markdown:
    """How many systems the figure has, and why the others are missing."""
    found = published()
    all_ = [one for one in survey.systems() if one.family.startswith("image_level")]
    waiting = [called(one.seed.system) for one in found if not one.home]
    text = (
        f"Of the {len(all_)} systems from image labels, {len(found)} have a pair of published "
        "figures that we could read: in a README or in an answer on the authors' pages. For the "
        f"other {len(all_) - len(found)} we found no pair in a source that we could open, and "
        "figures from memory do not count here."
    )
    if waiting:
        text += f" Read, but not measured here yet: {', '.join(waiting)}."
    return Markdown(text)


def where_seeds_stand() -> Markdown:
    """Published figures at the seed stage, and where they were read."""
    lines = [
        f"- {called(seed.system)}: {as_read(seed.cam)}"
        + (f" (of {called(seed.cam_of)})" if seed.cam_of != seed.system else "")
        + f" → {as_read(seed.seed)}, [{seed.read}]({seed.source})"
        for seed in (one.seed for one in published())
    ]
    return Markdown("\n".join(lines))


def as_read(percent: float) -> str:
    """With as many digits as were read: one, or two."""
    return f"{percent:.2f}".removesuffix("0")


@dataclass(frozen=True)
class Taken:
    """What training a system and answering for all training images takes, at the size of VOC.

    Attributes:
        name: of the system.
        online: whether labels and network are learned together.
        own: hours of the stages of the system itself.
        network: hours of the segmentation network behind it, 0 of a system that is one.
        gigabytes: most memory of a stage.
    """

    name: str
    online: bool
    own: float
    network: float
    gigabytes: float


def taken() -> list[Taken]:
    """Systems of image labels all of whose stages were timed, online ones last."""
    methods, found = survey.find_methods(), []
    for system in survey.systems():
        if system.card is None or not system.family.startswith("image_level"):
            continue
        stages = chain(system.id)
        costs = [cost_of(stage) for stage in stages]
        if any(cost is None for cost in costs):
            continue
        recipes = [methods[stage].recipe for stage in stages]
        known = [(cost, recipe) for cost, recipe in zip(costs, recipes, strict=True) if cost]
        hours = [gpu_hours(*one) for one in known]
        last = hours.pop() if stages[-1] == "segmenter" else 0.0
        most = max(gpu_gigabytes(*one) for one in known)
        online = system.family == ONLINE
        found.append(Taken(system.name, online, sum(hours), last, most))
    return sorted(found, key=lambda one: (one.online, one.own + one.network))


def hours_figure() -> Picture:
    """Hours at the size of VOC: of a system itself, and of the network that it leaves to learn."""
    found = taken()[::-1]
    figure, axis = drawn_on(WIDTH, 0.9 + 0.26 * len(found))
    for place, one in enumerate(found):
        colour = line_colour(1 if one.online else 0)
        axis.barh(place, one.own, color=colour, height=0.62)
        axis.barh(
            place, one.network, left=one.own, facecolor="none", edgecolor=colour, hatch="////",
            height=0.62, linewidth=1.0,
        )  # fmt: skip
        axis.annotate(
            f"{one.gigabytes:.0f} GB", (one.own + one.network, place), color=INK,
            fontsize=FONT - 1, textcoords="offset points", xytext=(4, 0), va="center",
        )  # fmt: skip
    axis.set_yticks(range(len(found)), [one.name for one in found], fontsize=FONT)
    axis.grid(visible=False, axis="y")
    axis.set_xlabel("hours of one NVIDIA H200, estimated", fontsize=FONT)
    axis.margins(x=0.1)
    network = "offline: the network that learns from its labels"
    axis.legend(
        handles=[
            Patch(color=line_colour(0), label="offline: its own stages"),
            Patch(facecolor="none", edgecolor=line_colour(0), hatch="////", label=network),
            Patch(color=line_colour(1), label="online: everything"),
        ],
        fontsize=FONT, labelcolor=INK, frameon=False, loc="lower right",
    )  # fmt: skip
    return figure


def seconds_table() -> Markdown:
    """What chains of the toy world take to a network that answers for new images."""
    online = [(s.id,) for s in survey.systems() if s.family == ONLINE]
    lines = []
    for stages in (*CHAINS, *online):
        try:
            found = [read_result(results_folder() / f"standard/{id}.json") for id in stages]
        except InputError:
            continue
        lines.append(_chain_line(found, stages in online))
    head = ("stages", "training", "seconds", "in all", "memory (MB)", "mIoU, new images")
    return table(head, lines)


def _chain_line(found: Sequence[dict[str, Any]], online: bool) -> list[str]:
    # A run that stood still while something else ran would carry a mean with it.
    seconds = [float(np.median([run["seconds"] for run in one["runs"]])) for one in found]
    return [
        " → ".join(called(one["method"]) for one in found),
        "online" if online else "offline",
        " + ".join(f"{value:.0f}" for value in seconds),
        f"{sum(seconds):.0f}",
        f"{max(one['summary']['peak_memory_mb']['mean'] for one in found):.0f}",
        f"{found[-1]['summary']['val_miou']['mean']:.3f}",
    ]
