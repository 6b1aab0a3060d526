"""Pictures of erasing: what each round finds, and what it leaves for the next."""

import torch
from stored_figures import chosen, label_panel, stored_labels, world

from wsss_lib.blocks.augment.erase import erase
from wsss_lib.show import Panel, Picture, show_grid

ROUNDS = ("round 1", "round 2", "round 3")


def rounds_figure() -> Picture:
    """What each round of AE-PSL is shown, with what it finds painted over it; images in rows."""
    data, rows = world(), {}
    for place, id in chosen("ae_psl", over="cam_360").items():
        image = data.image(id)
        mined = torch.zeros(image.shape[-2:], dtype=torch.long)
        panels = []
        for title in ROUNDS:
            seen = erase(image[None], (mined > 0)[None, None].float())[0]
            found = stored_labels("ae_psl", id, title)
            mined = torch.where(found > 0, found, mined)
            panels.append(Panel(seen, labels=found, note=label_panel(id, mined).note))
        panels.append(Panel(image, labels=data.mask(id)))
        rows[f"{place} gain"] = panels
    return show_grid(rows, [*ROUNDS, "truth"], classes=data.classes)
