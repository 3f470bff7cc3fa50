"""How objects hang together, by their definitions: what decides whose trouble can be another one's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Refs = Mapping[str, frozenset[str]]
"""Of each object the others that it has to do with in one way."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ties:
    """The ties of the workloads of a namespace.

    Attributes:
        reads: the ConfigMaps that each workload reads: their edits can have started what it does.
        calls: whom each workload calls, also through others: what it fails with may be theirs.
        shares: who uses a Service that it uses, too: one may wait in vain for the other's work, as through a queue.
        tasks: the Jobs that use a Service that it uses: they may have altered what it finds there.
    """

    reads: Refs = field(default_factory=dict)
    calls: Refs = field(default_factory=dict)
    shares: Refs = field(default_factory=dict)
    tasks: Refs = field(default_factory=dict)


NO_TIES = Ties()
"""Where nothing is known of how objects hang together."""
