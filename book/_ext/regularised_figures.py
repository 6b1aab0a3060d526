"""Pictures of losses that know colour: pixels that decide for themselves, and edges of colours."""

import torch
from scribbles_figures import drawn
from stored_figures import chosen, label_panel, world
from torch import Tensor, nn

from wsss_lib.blocks.regions.superpixels import edge_map
from wsss_lib.core import IGNORE, Batch
from wsss_lib.engine import seed_everything
from wsss_lib.methods.scribble.rloss import RegularisedLosses
from wsss_lib.show import Panel, Picture, show_panels


class EachPixel(nn.Module):
    """Logits without a network: each pixel of one picture decides for itself."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.backbone, self.logits = nn.Identity(), nn.Parameter(logits)

    def forward(self, image: Tensor) -> Tensor:
        """(1, 3, H, W) -> (1, K, H, W), whatever the image."""
        return self.logits


def descended(batch: Batch, crf: float, ncut: float, steps: int = 60) -> Tensor:
    """(H, W) labels of one picture whose pixels follow the slope of the loss, from no opinion."""
    seed_everything(0)
    _, _, height, width = batch.image.shape
    net = EachPixel(torch.zeros(1, len(world().classes) + 1, height, width))
    method = RegularisedLosses(net, crf, ncut, sxy=10.0, start=0.0, scale=1.0)  # type: ignore[arg-type]
    optimizer = torch.optim.Adam(method.parameters(), lr=0.3)
    for _ in range(steps):
        optimizer.zero_grad()
        torch.stack([*method.loss(batch).values()]).sum().backward()
        optimizer.step()
    return net.logits[0].argmax(dim=0).detach()


def energies_figure() -> Picture:
    """One picture, its strokes, and what each energy makes of them without any network."""
    id = chosen("ncut_loss", "pce")["median"]
    image, scribble = drawn(id)
    batch = Batch((id,), image[None], scribble=scribble[None])
    classes = (*world().classes, "stroke on the ground")
    strokes = torch.where(scribble == 0, len(classes), scribble)
    strokes[scribble == IGNORE] = 0
    panels = [Panel(image, title="image"), Panel(image, labels=strokes, title="scribbles")]
    weights = {"dense CRF": (20.0, 0.0), "normalised cut": (0.0, 10.0), "both": (20.0, 10.0)}
    for title, (crf, ncut) in weights.items():
        found = label_panel(id, descended(batch, crf, ncut))
        panels.append(Panel(found.image, labels=found.labels, title=title, note=found.note))
    panels.append(Panel(image, labels=world().mask(id), title="truth"))
    return show_panels(panels, columns=6, classes=classes)


def edges_figure() -> Picture:
    """The edge map of the pictures of the chapter: outlines, and what else changes colour."""
    panels = []
    for gain, id in chosen("ncut_loss", "pce").items():
        image = world().image(id)
        panels += [Panel(image, title=gain), Panel(image, edge_map(image), title="edges")]
    return show_panels(panels, columns=6, tint="strength of the edge")
