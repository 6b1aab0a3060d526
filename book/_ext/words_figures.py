"""Pictures of words as classifiers of patches; nothing is trained here."""

from stored_figures import gallery, shown_classes, world

from wsss_lib.blocks.maps.class_maps import min_max, resize_like
from wsss_lib.nets.large.clip import load_clip
from wsss_lib.show import Panel, Picture, class_panel, show_grid, truth_panel


def words_figure() -> Picture:
    """The cosines of CLIP's patches with the sentences of a picture's classes, and the truth.

    The picture is the first one among those that all systems store that shows most classes.
    """
    data, clip = world(), load_clip()
    id = max(gallery("clip_es").common, key=lambda one: len(shown_classes(one)))
    image, truth, present = data.image(id), data.mask(id), sorted(shown_classes(id))
    text = clip.text_features([f"a photo of a {name}" for name in data.classes])
    view = clip.look(image[None])
    cosines = text @ view.tokens[0].flatten(1)
    maps = resize_like(min_max(cosines.view(1, -1, *view.tokens.shape[2:])), image[None])[0]
    whole = (view.features @ text.T)[0]
    rows: dict[str, list[Panel]] = {"patches": [], "truth": []}
    for c in present:
        panel = class_panel(image, maps, c, 0.5, truth)
        rows["patches"].append(panel)
        rows["truth"].append(truth_panel(image, truth, c))
    return show_grid(rows, [f"{data.classes[c - 1]}, image {whole[c - 1]:+.2f}" for c in present])
