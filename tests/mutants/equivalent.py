"""Changes that no test can notice, each with the reason."""

NOTHING_TO_CHANGE = {
    "bbox_rect": "fills boxes: no term, no comparison and no sign of its own",
    "pamr": "calls one block: no term, no comparison and no sign of its own",
}
"""Methods without any mutant."""

EQUIVALENT: dict[str, dict[tuple[str, str], str]] = {
    "boxsup": {
        ("BoxSup.loss", "logits.detach()  ->  logits"): "labels are whole numbers, through which "
        "no gradient passes; it spares the graph",
    },
    "conta": {
        ("CONTA.pseudo_masks", "maps.detach()  ->  maps"): "labels are whole numbers, through "
        "which no gradient passes; it spares the graph",
    },
    "sance": {
        ("SANCE.loss", "logits.detach()  ->  logits"): "labels are whole numbers, through which no "
        "gradient passes; it spares the graph",
    },
    "c_cam": {
        ("CCAM.loss", "maps.detach()  ->  maps"): "labels are whole numbers, through which no "
        "gradient passes; it spares the graph",
    },
}
"""Card id -> (function, change) -> why the result is the same."""
