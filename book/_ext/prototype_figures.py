"""Pictures of what is like a part of an object."""

import torch
from stored_figures import gain_columns, gallery, maps_figure, world

from wsss_lib.blocks.maps.class_maps import min_max, resize
from wsss_lib.blocks.maps.prototypes import reactivated
from wsss_lib.nets.backbones.toy import toy_cnn
from wsss_lib.show import Panel, Picture


def alike_figure() -> Picture:
    """CAM's maps, and how much all places are like the brightest tenth of them.

    Features are those that all toy systems begin with; the maps of likeness are stretched.
    """
    columns = gain_columns("pamr", most=3)
    stored, data, net, panels = gallery("cam"), world(), toy_cnn().eval(), []
    for _, id, c in columns:
        image = data.image(id)
        with torch.inference_mode():
            features = net(image[None])[-1]
        size = (features.shape[-2], features.shape[-1])
        score = resize(stored.scores(id, len(data.classes))[None, c - 1 : c].float(), size)[0, 0]
        brightest = score >= score.quantile(0.9)
        prototype = features[0][:, brightest].mean(dim=1)
        likeness = min_max(reactivated(features, prototype[None, None]))
        panels.append(Panel(image, resize(likeness, (image.shape[-2], image.shape[-1]))[0, 0]))
    return maps_figure(("cam",), columns, extra={"like the brightest tenth": panels})
