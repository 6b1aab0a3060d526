"""Pictures of the page on views: what each view leaves of an image, and what a temperature does."""

import torch
from stored_figures import chosen, world

from wsss_lib.blocks.augment.views import crops, drawn_cells, drawn_windows, hidden_pair, tiles
from wsss_lib.blocks.maps.rank_pooling import temperature_pool
from wsss_lib.show import Panel, Picture, show_grid
from wsss_lib.show.picture import FONT, drawn_on, line_colour


def five_views() -> Picture:
    """Images, a tile, two complementary copies and a window of each, and where the objects are.

    The images are those of SEAM's largest, median and smallest gain over CAM.
    """
    data, names = world(), chosen("seam")
    image = torch.stack([data.image(name) for name in names.values()])
    torch.manual_seed(0)
    copies = hidden_pair(image, drawn_cells(image, 8, 0.5), (0.5,) * 3)
    corners, window = drawn_windows(len(image), 4, (64, 64), 0.625)
    shown = {
        "image": image,
        "a tile": tiles(image, 2)[2::4],
        "a copy": copies[0],
        "the other": copies[1],
        "a window": crops(image, corners, window)[2::4],
    }
    rows = {name: [Panel(one) for one in views] for name, views in shown.items()}
    rows["truth"] = [
        Panel(one, region=(data.mask(name) > 0).float())
        for one, name in zip(image, names.values(), strict=True)
    ]
    return show_grid(rows)


def temperature_figure() -> Picture:
    """The pooled score of two maps over the temperature: a point, and an area that is as bright."""
    figure, axis = drawn_on(6.0, 2.8)
    heats = torch.logspace(-1, 2.5, 60)
    for number, (name, places, line) in enumerate((("a point", 4, "-"), ("an area", 64, "--"))):
        one = torch.zeros(1, 1, 16, 16)
        one.flatten()[:places] = 10.0
        scores = [float(temperature_pool(one, float(heat))) for heat in heats]
        axis.plot(heats, scores, line, label=name, color=line_colour(number), linewidth=1.8)
    axis.set_xscale("log")
    axis.set_xlabel("temperature", fontsize=FONT)
    axis.set_ylabel("score of the class", fontsize=FONT)
    axis.legend(fontsize=FONT, frameon=False)
    return figure
