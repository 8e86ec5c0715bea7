"""An object store that counts what a bucket is billed for."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from sandbox.blobs import Blobs


@dataclass
class Traffic:
    """Calls and bytes, by the first part of the name: a state copy, the ledger, the budget."""

    puts: Counter[str] = field(default_factory=Counter)
    put_bytes: Counter[str] = field(default_factory=Counter)
    gets: Counter[str] = field(default_factory=Counter)
    get_bytes: Counter[str] = field(default_factory=Counter)
    deletes: int = 0
    lists: int = 0


class CountingStorage(Blobs):
    """Counts as S3 does: there is no append."""

    def __init__(self) -> None:
        super().__init__()
        self.traffic = Traffic()

    def read(self, name: str) -> bytes | None:
        """One GET."""
        data = super().read(name)
        self.traffic.gets[_sort(name)] += 1
        self.traffic.get_bytes[_sort(name)] += len(data or b"")
        return data

    def write(self, name: str, data: bytes) -> None:
        """One PUT."""
        self.traffic.puts[_sort(name)] += 1
        self.traffic.put_bytes[_sort(name)] += len(data)
        super().write(name, data)

    def delete(self, name: str) -> None:
        """One DELETE."""
        self.traffic.deletes += 1
        super().delete(name)

    def names(self, folder: str) -> list[str]:
        """One LIST."""
        self.traffic.lists += 1
        return super().names(folder)


def _sort(name: str) -> str:
    return "ledger" if "/" in name else name.partition("-")[0].partition(".")[0]
