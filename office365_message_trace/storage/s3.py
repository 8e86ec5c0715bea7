"""Blobs as objects of an S3 bucket."""

from contextlib import closing

from s3path import S3Path, configuration_map

from office365_message_trace.storage.base import DAMAGED, LARGEST_BLOB, guarded


class S3Storage:
    """An S3 bucket: one PUT is atomic, and there is neither append nor rename.

    Uses the client that the SDK registered for ``root``: writing through the path itself would be a
    multipart upload, three requests that a crash can leave half done.
    """

    def __init__(self, root: S3Path) -> None:
        resource, _ = configuration_map.get_configuration(root)
        self._client = resource.meta.client
        self._bucket = root.bucket
        self._prefix = f"{root.key}/" if root.key else ""  # no key begins with a slash

    def read(self, name: str) -> bytes | None:
        def get() -> bytes | None:
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=self._key(name))
            except self._client.exceptions.NoSuchKey:
                return None
            with closing(answer["Body"]) as body:
                too_large = answer.get("ContentLength", 0) > LARGEST_BLOB
                return DAMAGED if too_large else bytes(body.read())

        return guarded("read", name, get)

    def write(self, name: str, data: bytes) -> None:
        def put() -> None:
            self._client.put_object(Bucket=self._bucket, Key=self._key(name), Body=data)

        guarded("write", name, put)

    def extend(self, name: str, known: bytes, added: bytes) -> None:
        self.write(name, known + added)

    def delete(self, name: str) -> None:
        def delete() -> None:
            self._client.delete_object(Bucket=self._bucket, Key=self._key(name))

        guarded("remove", name, delete)

    def names(self, folder: str) -> list[str]:
        return sorted(self.sizes(folder))

    def sizes(self, folder: str) -> dict[str, int]:
        prefix = self._key(folder) + "/"

        def listing() -> dict[str, int]:
            found: dict[str, int] = {}
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=prefix, Delimiter="/"
            )
            for page in pages:
                found |= {each["Key"]: each["Size"] for each in page.get("Contents", ())}
                found |= {each["Prefix"].rstrip("/"): 0 for each in page.get("CommonPrefixes", ())}
            return {key.removeprefix(prefix): size for key, size in found.items()}

        return guarded("list", folder, listing)

    def _key(self, name: str) -> str:
        return f"{self._prefix}{name}"
