"""Changes that no test can notice, each with the reason."""

NOTHING_TO_CHANGE = {
    "bbox_rect": "fills boxes: no term, no comparison and no sign of its own",
    "pamr": "calls one block: no term, no comparison and no sign of its own",
}
"""Methods without any mutant."""

EQUIVALENT: dict[str, dict[tuple[str, str], str]] = {}
"""Card id -> (function, change) -> why the result is the same."""
