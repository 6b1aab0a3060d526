"""Pictures of the survey's tables."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from wsss_lib.survey import FAMILIES, reported, systems

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999999")
"""Okabe and Ito: told apart by colour-blind readers."""
MARKERS = "osD^vPX*"


def over_time(*tables: str) -> Figure:
    """Reported mean IoU on VOC 2012 val over the year, one mark for each leaf of the taxonomy."""
    family = {system.id: system.family for system in systems()}
    lines = [line for name in tables for line in reported(name) if line.val is not None]
    leaves: Sequence[str] = [leaf for leaf in FAMILIES if leaf in {family[x.system] for x in lines}]
    figure, axes = plt.subplots(figsize=(8, 4.2), layout="constrained")
    for k, leaf in enumerate(leaves):
        mine = [line for line in lines if family[line.system] == leaf]
        shift = 0.6 * (k / max(1, len(leaves) - 1) - 0.5)  # so that marks of one year do not hide
        axes.scatter(
            [line.year + shift for line in mine],
            [line.val for line in mine],
            color=COLOURS[k],
            marker=MARKERS[k],
            label=FAMILIES[leaf],
        )
    axes.set(xlabel="year", ylabel="mean IoU on VOC 2012 val (%), as printed")
    axes.legend(fontsize="small", loc="lower right")
    axes.grid(alpha=0.3)
    plt.close(figure)
    return figure
