"""The parts that many reports of a run embed, in the driver's wire format: encoded only once."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import bson
import msgspec
from bson.raw_bson import RawBSONDocument

from analysis.models import Decision, Research


class Shared:
    """The research of each symbol, and the decisions about it that do not depend on a portfolio."""

    def __init__(self, research: Iterable[Research] = (), decisions: Iterable[Decision] = ()) -> None:
        self.research = {found.symbol: _encoded(found) for found in research}
        # Keyed by identity: hashing a decision would take as long as encoding it. Safe because all of them are kept.
        self._kept = tuple(decisions)
        self._decisions = {id(decision): _encoded(decision) for decision in self._kept}

    def decisions(self, decisions: Sequence[Decision]) -> list[Mapping[str, Any]]:
        """Return decisions as documents embed them, whether or not they are shared."""
        known = map(self._decisions.get, map(id, decisions))
        return [
            msgspec.to_builtins(decision) if encoded is None else encoded
            for decision, encoded in zip(decisions, known, strict=True)
        ]


def _encoded(record: Research | Decision) -> RawBSONDocument:
    return RawBSONDocument(bson.encode(msgspec.to_builtins(record)))
