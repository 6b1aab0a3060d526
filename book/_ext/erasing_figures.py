"""Pictures of erasing: what each round finds, and what it leaves for the next."""

import torch
from stored_figures import chosen, gallery, label_panel, stored_labels, world

from wsss_lib.blocks.augment.erase import erase
from wsss_lib.show import Panel, Picture, show_grid

ROUNDS = ("round 1", "round 2", "round 3")


def rounds_figure() -> Picture:
    """The control's labels, then what each round of AE-PSL is shown and finds; images in rows."""
    data, control, rows = world(), gallery("cam_360"), {}
    for place, id in chosen("ae_psl", over="cam_360").items():
        image = data.image(id)
        mined = torch.zeros(image.shape[-2:], dtype=torch.long)
        panels = [label_panel(id, control.labels(id, len(data.classes)))]
        for title in ROUNDS:
            seen = erase(image[None], (mined > 0)[None, None].float())[0]
            found = stored_labels("ae_psl", id, title)
            mined = torch.where(found > 0, found, mined)
            panels.append(Panel(seen, labels=found, note=label_panel(id, mined).note))
        panels.append(Panel(image, labels=data.mask(id)))
        rows[f"{place} gain"] = panels
    return show_grid(rows, ["control: CAM,\n360 steps", *ROUNDS, "truth"], classes=data.classes)
