"""An object store that counts what a bucket is billed for."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Traffic:
    """Calls and bytes, by the first part of the name: a state copy, the ledger, the budget."""

    puts: Counter[str] = field(default_factory=Counter)
    put_bytes: Counter[str] = field(default_factory=Counter)
    gets: Counter[str] = field(default_factory=Counter)
    get_bytes: Counter[str] = field(default_factory=Counter)
    deletes: int = 0
    lists: int = 0


class CountingStorage:
    """Implements `office365_message_trace.storage.base.Storage` as S3 does: there is no append."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.traffic = Traffic()

    def read(self, name: str) -> bytes | None:
        """One GET."""
        data = self.blobs.get(name)
        self.traffic.gets[_sort(name)] += 1
        self.traffic.get_bytes[_sort(name)] += len(data or b"")
        return data

    def write(self, name: str, data: bytes) -> None:
        """One PUT."""
        self.traffic.puts[_sort(name)] += 1
        self.traffic.put_bytes[_sort(name)] += len(data)
        self.blobs[name] = data

    def extend(self, name: str, known: bytes, added: bytes) -> None:
        """One PUT of the whole."""
        self.write(name, known + added)

    def delete(self, name: str) -> None:
        """One DELETE."""
        self.traffic.deletes += 1
        self.blobs.pop(name, None)

    def names(self, folder: str) -> list[str]:
        """One LIST."""
        self.traffic.lists += 1
        prefix = f"{folder}/"
        inside = (name[len(prefix) :] for name in self.blobs if name.startswith(prefix))
        return sorted({name.partition("/")[0] for name in inside})


def _sort(name: str) -> str:
    return "ledger" if "/" in name else name.partition("-")[0].partition(".")[0]
