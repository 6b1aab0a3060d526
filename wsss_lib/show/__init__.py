"""Pictures for notebooks, reports and the book.

Every function that draws returns a ``Picture``: a Matplotlib figure that a notebook shows by
itself. Nothing goes through ``pyplot``, so no global state is changed and no figure stays open.
Colours are chosen for colour-blind readers, and no picture tells things apart by colour alone.
"""

from wsss_lib.show.panels import (
    Panel,
    class_panel,
    contact_sheet,
    show_grid,
    show_labels,
    show_maps,
    show_panels,
    truth_panel,
)
from wsss_lib.show.picture import COLOURS, Picture, overlay
from wsss_lib.show.plots import bar_with_spread, plot_curves, plot_doses

__all__ = [
    "COLOURS", "Panel", "Picture", "bar_with_spread", "class_panel", "contact_sheet", "overlay",
    "plot_curves", "plot_doses", "show_grid", "show_labels", "show_maps", "show_panels",
    "truth_panel",
]  # fmt: skip
