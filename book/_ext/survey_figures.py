"""Pictures of the survey's tables."""

from typing import Any

from wsss_lib.show import Picture
from wsss_lib.show.picture import FONT, INK, drawn_on, line_colour
from wsss_lib.survey import FAMILIES, reported, systems

MARKERS = "osD^vPX*"
_COLOURS = [*(line_colour(k) for k in range(6)), INK, INK]


def leaves_of(*tables: str) -> list[str]:
    """Leaves of the taxonomy that lines of these tables belong to, in its order."""
    family = {system.id: system.family for system in systems()}
    known = {family[line.system] for name in tables for line in reported(name)}
    return [leaf for leaf in FAMILIES if leaf in known]


def style_of(leaf: str) -> dict[str, Any]:
    """Colour and shape of a leaf where systems of image labels stand together."""
    number = leaves_of("table1").index(leaf)
    return {"color": _COLOURS[number], "marker": MARKERS[number]}


def over_time(*tables: str) -> Picture:
    """Reported mean IoU on VOC 2012 val over the year, one mark for each leaf of the taxonomy.

    A year is a strip; where a mark stands within it means nothing but its leaf.
    """
    family = {system.id: system.family for system in systems()}
    lines = [line for name in tables for line in reported(name) if line.val is not None]
    leaves = leaves_of(*tables)
    figure, axis = drawn_on(7.6, 4.2)
    for k, leaf in enumerate(leaves):
        mine = [line for line in lines if family[line.system] == leaf]
        shift = 0.7 * (k / max(1, len(leaves) - 1) - 0.5)
        axis.scatter(
            [line.year + shift for line in mine], [line.val or 0.0 for line in mine], s=42,
            color=_COLOURS[k], marker=MARKERS[k], edgecolors=INK, linewidths=0.5,
            label=FAMILIES[leaf].removeprefix("Image labels: "),
        )  # fmt: skip
    years = range(min(line.year for line in lines), max(line.year for line in lines) + 1)
    for year in years[::2]:
        axis.axvspan(year - 0.5, year + 0.5, color=INK, alpha=0.12, linewidth=0)
    axis.set_xlim(years[0] - 0.5, years[-1] + 0.5)
    axis.set_xticks(list(years))
    axis.grid(visible=False, axis="x")
    axis.set_xlabel("year", fontsize=FONT)
    axis.set_ylabel("mean IoU on VOC 2012 val (%), as printed", fontsize=FONT)
    axis.legend(
        fontsize=FONT, labelcolor=INK, frameon=False, loc="upper center", ncols=3,
        bbox_to_anchor=(0.5, -0.13),
    )  # fmt: skip
    return figure
