"""Figures that answer without a kernel.

Each is a module of Python that gathers the data and one of JavaScript, of the same name, that
draws them and answers. A page holds both inline; a notebook hands the same JavaScript to anywidget.
"""

from wsss_lib.show.live.clock import live_clock
from wsss_lib.show.live.figure import LiveFigure
from wsss_lib.show.live.threshold import live_threshold

__all__ = ["LiveFigure", "live_clock", "live_threshold"]
