"""What an examination of a data folder finds."""

from collections.abc import Iterable
from dataclasses import dataclass, field

EXAMPLES = 5
"""So many files or ids of a finding are named."""
KINDS = {
    "are truncated or not images.": "truncated",
    "share their id with another file.": "share the id",
    "have 16 bits that are not filled.": "almost black",
    "are too large.": "megapixels",
    "are animations or stacks.": "a stack",
    "have a palette that an image editor renumbered.": "renumbered",
    "hold colours that are no class.": "colour",
    "hold indices that are no class and not 255.": "indices",
    "hide classes below transparency.": "transparent",
    "have another size than their image.": "at one size",
}
"""Kinds of errors, and what their message says."""


def by_kind(messages: dict[str, str]) -> dict[str, dict[str, str]]:
    """Errors of readers by what is wrong, so that like is counted with like.

    Args:
        messages: by id or name of a file.
    """
    kinds: dict[str, dict[str, str]] = {}
    for name, message in messages.items():
        kind = next((kind for kind, word in KINDS.items() if word in message), "cannot be read.")
        kinds.setdefault(kind, {})[name] = message
    return kinds


def first(messages: dict[str, str]) -> str:
    """What is wrong with one file and what mends it, in the words of its reader."""
    return f"The first: {next(iter(messages.values()), '')}"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong or worth knowing.

    Attributes:
        what: what was found.
        remedy: what mends it.
        examples: some of the files or ids.
        serious: whether methods or figures would fail or be wrong.
    """

    what: str
    remedy: str
    examples: tuple[str, ...] = ()
    serious: bool = True


@dataclass
class Examination:
    """All that was found.

    Attributes:
        findings: in the order in which they should be mended.
        counts: how many images, masks, labels, ... there are.
    """

    findings: list[Finding] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def serious(self) -> bool:
        """Whether anything must be mended."""
        return any(finding.serious for finding in self.findings)

    def add(
        self, what: str, remedy: str, of: Iterable[str] | None = None, serious: bool = True
    ) -> None:
        """Note a finding; with ``of``, only if there are any, and their number replaces ``{n}``."""
        names = sorted(of) if of is not None else []
        if of is None or names:
            text = what.replace("{n}", str(len(names)))
            self.findings.append(Finding(text, remedy, tuple(names[:EXAMPLES]), serious))
