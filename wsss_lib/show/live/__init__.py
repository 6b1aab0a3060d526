"""Figures that answer without a kernel.

Each is a module of Python that gathers the data and one of JavaScript, of the same name, that
draws them and answers. A page holds both inline; a notebook hands the same JavaScript to anywidget.
What several of them need, ``maps.js`` draws and ``refine.js`` computes, and ``pad.js`` takes marks;
modules import from them. ``annotator.js`` is the widget of ``wsss_lib.annotate``.
"""

from wsss_lib.show.live.affinity import Asked, Walk, live_affinity
from wsss_lib.show.live.clock import live_clock
from wsss_lib.show.live.doses import Answer, Seen, live_doses
from wsss_lib.show.live.erase import Example, live_erase
from wsss_lib.show.live.figure import LiveFigure
from wsss_lib.show.live.leaderboard import Entry, Gain, live_leaderboard
from wsss_lib.show.live.pamr import Mapped, live_pamr
from wsss_lib.show.live.scribble import Scribbled, live_scribble
from wsss_lib.show.live.threshold import live_threshold

__all__ = [
    "Answer", "Asked", "Entry", "Example", "Gain", "LiveFigure", "Mapped", "Scribbled", "Seen",
    "Walk", "live_affinity", "live_clock", "live_doses", "live_erase", "live_leaderboard",
    "live_pamr", "live_scribble", "live_threshold",
]  # fmt: skip
