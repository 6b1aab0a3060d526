"""What an examination of a data folder finds."""

from collections.abc import Iterable
from dataclasses import dataclass, field

EXAMPLES = 5
"""So many files or ids of a finding are named."""


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
