"""Pictures of strokes that random walks carry over a picture; nothing is trained here."""

import torch
from scribbles_figures import drawn
from stored_figures import label_panel, world
from torch import Tensor

from wsss_lib.blocks.refine.random_walker import boundary_edges, random_walker
from wsss_lib.blocks.regions.superpixels import edge_map
from wsss_lib.core import IGNORE
from wsss_lib.show import Panel, Picture, show_panels

STRENGTH = 8.0
"""Of a boundary where the edges of the picture are strongest."""


def ends(boundary: Tensor, scribble: Tensor, count: int) -> Tensor:
    """(H, W) boundaries and strokes -> (H, W) the stroke that most walks meet first."""
    edges = boundary_edges(boundary[None, None])
    return random_walker(edges, scribble[None], count)[0].argmax(dim=0)


def walks_figure(id: str) -> Picture:
    """Strokes, where walks end without boundaries and with the picture's own edges, the truth."""
    image, scribble = drawn(id)
    classes = (*world().classes, "stroke on the ground")
    strokes = torch.where(scribble == 0, len(classes), scribble)
    strokes[scribble == IGNORE] = 0
    free = ends(torch.zeros_like(image[0]), scribble, len(classes))
    edges = edge_map(image)
    held = ends(STRENGTH * edges, scribble, len(classes))
    panels = [Panel(image, labels=strokes, title="strokes")]
    for title, labels in (("walks anywhere", free), ("walks avoid edges", held)):
        found = label_panel(id, labels)
        panels.append(Panel(found.image, labels=found.labels, title=title, note=found.note))
    panels.insert(2, Panel(image, edges, title="its edges"))
    panels.append(Panel(image, labels=world().mask(id), title="truth"))
    return show_panels(panels, classes=classes)
