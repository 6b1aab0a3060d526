"""Plots of measured figures."""

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from wsss_lib.show.picture import COLOURS, FONT, INK, Picture, drawn_on, line_colour

_MARKERS = "osD^vPX*<>"
_LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))


def plot_curves(
    curves: Mapping[str, Any],
    chosen: Mapping[str, float] | None = None,
    ylabel: str = "mean IoU",
) -> Picture:
    """Mean IoU against the background threshold, one line per name.

    Args:
        curves: by name, (T,) values at T thresholds that are evenly spaced over [0, 1].
        chosen: by name, the threshold that was chosen; a ring marks it.
        ylabel: what the curves measure.
    """
    figure, axis = drawn_on(6.0, 3.4)
    for number, (name, curve) in enumerate(curves.items()):
        y = np.asarray(curve, dtype=float)
        x = np.linspace(0, 1, len(y))
        spacing = max(1, len(y) // 10)
        axis.plot(
            x, y, label=name, color=line_colour(number), linestyle=_LINES[number % len(_LINES)],
            marker=_MARKERS[number % len(_MARKERS)], markersize=5, linewidth=1.6,
            # Markers of different curves stand at different places, so that none is covered.
            markevery=(number * spacing // max(1, len(curves)), spacing),
        )  # fmt: skip
        if chosen and name in chosen:
            at = chosen[name]
            axis.plot(
                at, np.interp(at, x, y), "o", markersize=12, markerfacecolor="none",
                markeredgecolor=INK, markeredgewidth=1.5,
            )  # fmt: skip
    axis.set_xlim(0, 1)
    axis.set_xlabel(
        "background threshold" + (" (ring: the chosen one)" if chosen else ""), fontsize=FONT
    )
    axis.set_ylabel(ylabel, fontsize=FONT)
    _legend_aside(axis)
    return figure


def bar_with_spread(
    summary: Mapping[str, Mapping[str, float]],
    label: str = "mean IoU",
    lines: Mapping[str, float] | None = None,
) -> Picture:
    """Means with their standard deviations as horizontal bars, each with its figure.

    Args:
        summary: by name, a mean, a standard deviation and a count: ``{"mean", "sd", "n"}``.
        label: what is measured.
        lines: by name, values marked by a dashed line through all bars, such as a ceiling.
    """
    figure, axis = drawn_on(6.0, 0.7 + 0.38 * len(summary))
    names = list(summary)
    means = np.array([summary[name]["mean"] for name in names])
    spreads = np.array([summary[name].get("sd", 0.0) for name in names])
    places = list(range(len(names)))
    axis.barh(places, means, 0.6, color=COLOURS[1], edgecolor=INK, linewidth=0.6)
    axis.errorbar(means, places, xerr=spreads, fmt="none", ecolor=INK, capsize=3, linewidth=1.2)
    top = max((means + spreads).max(initial=0.0), *(lines or {"": 0.0}).values())
    for place, name in zip(places, names, strict=True):
        one = summary[name]
        spread = f" ± {one['sd']:.3f}" if one.get("n", 1) > 1 else ""
        end = one["mean"] + (one["sd"] if spread else 0.0)
        axis.text(
            end + 0.015 * top, place, f"{one['mean']:.3f}{spread}", va="center", fontsize=FONT,
            color=INK,
        )  # fmt: skip
    for name, value in (lines or {}).items():
        axis.axvline(value, color=INK, linestyle="--", linewidth=1)
        axis.text(value, -0.65, name, ha="center", va="bottom", fontsize=FONT, color=INK)
    axis.set_yticks(places, names, fontsize=FONT)
    axis.set_ylim(len(names) - 0.5, -0.6)
    axis.set_xlim(0, top * 1.25)
    counts = sorted({int(one.get("n", 1)) for one in summary.values()})
    runs = " and ".join(str(n) for n in counts)
    axis.set_xlabel(f"{label} (mean ± sd of {runs} runs)" if counts != [1] else label,
                    fontsize=FONT)  # fmt: skip
    return figure


def plot_doses(
    gains: Mapping[str, Sequence[Sequence[float]]],
    doses: Sequence[float],
    home: int,
    axis_name: str = "dose",
    response: str = "gain over the control",
) -> Picture:
    """Paired gains over a control against the strength of a failure: a dose-response curve.

    Every world is a dot; lines join the means, and at the home dose a bar shows two standard errors
    to each side: where it does not reach zero, the gain exceeds its noise.

    Args:
        gains: by name, for each dose the gains of its worlds.
        doses: what stands at the axis.
        home: index of the dose at which the idea is judged.
        axis_name: what the doses are.
        response: what the gains are gains of.
    """
    figure, axis = drawn_on(6.4, 3.2 + 0.2 * len(gains))
    axis.axvspan(home - 0.35, home + 0.35, color=INK, alpha=0.12, linewidth=0)
    axis.axhline(0, color=INK, linewidth=1)
    for number, (name, found) in enumerate(gains.items()):
        colour, marker = line_colour(number), _MARKERS[number % len(_MARKERS)]
        aside = 0.09 * (number - (len(gains) - 1) / 2)
        at = [place + aside for place, here in enumerate(found) if len(here)]
        means = [float(np.mean(here)) for here in found if len(here)]
        for place, here in enumerate(found):
            places = np.full(len(here), place + aside)
            axis.plot(
                places, here, marker, color=colour, markersize=4, markerfacecolor="white", zorder=3
            )
        if len(found[home]) > 1:
            error = 2 * np.std(found[home], ddof=1) / np.sqrt(len(found[home]))
            middle = float(np.mean(found[home]))
            axis.errorbar(home + aside, middle, yerr=error, color=colour, capsize=4, linewidth=1.6)
        axis.plot(
            at, means, label=name, color=colour, marker=marker, markersize=7, linewidth=1.6,
            linestyle=_LINES[number % len(_LINES)],
        )  # fmt: skip
    labels = [f"{dose:g}" + ("\nhome" if place == home else "") for place, dose in enumerate(doses)]
    axis.set_xticks(range(len(doses)), labels, fontsize=FONT)
    axis.set_xlim(-0.5, len(doses) - 0.5)
    axis.set_xlabel(fill(axis_name, 75), fontsize=FONT)
    axis.set_ylabel(fill(response, 40), fontsize=FONT)
    axis.legend(
        fontsize=FONT, frameon=False, loc="lower left", bbox_to_anchor=(0, 1), handlelength=3.5,
        labelcolor=INK,
    )  # fmt: skip
    return figure


def _legend_aside(axis: Axes) -> None:
    """A legend to the right of a plot, with lines long enough to tell their dashes."""
    axis.legend(
        fontsize=FONT, frameon=False, loc="center left", bbox_to_anchor=(1.01, 0.5),
        handlelength=3.5, labelcolor=INK,
    )  # fmt: skip
