"""A storage in memory."""

from __future__ import annotations


class Blobs:
    """Implements `office365_message_trace.storage.base.Storage`; `content` is by name."""

    def __init__(self, content: dict[str, bytes] | None = None, root: str = "") -> None:
        self.content = {} if content is None else content
        self._root = root

    def folder(self, name: str) -> Blobs:
        """The storage whose root is a folder of this one."""
        return Blobs(self.content, f"{self._root}{name}/")

    def read(self, name: str) -> bytes | None:
        """The blob, or None."""
        return self.content.get(self._root + name)

    def write(self, name: str, data: bytes) -> None:
        """Replace the blob."""
        self.content[self._root + name] = data

    def extend(self, name: str, known: bytes, added: bytes) -> None:
        """Write the whole."""
        self.write(name, known + added)

    def delete(self, name: str) -> None:
        """Remove the blob, if it is there."""
        self.content.pop(self._root + name, None)

    def names(self, folder: str) -> list[str]:
        """The names directly in `folder`."""
        prefix = f"{self._root}{folder}/"
        inside = (name[len(prefix) :] for name in self.content if name.startswith(prefix))
        return sorted({name.partition("/")[0] for name in inside})
