"""Chooses the storage for a place: a local folder, or an S3 bucket on the platform."""

from pathlib import Path

from s3path import S3Path

from office365_message_trace.storage.base import SizedStorage
from office365_message_trace.storage.folder import FolderStorage
from office365_message_trace.storage.s3 import S3Storage


def storage_at(root: Path, folder: str = "") -> SizedStorage:
    """The storage in ``folder`` of ``root``, the SDK's ``data_path``: a local folder or an ``S3Path``."""
    if isinstance(root, S3Path):
        return S3Storage(root / folder if folder else root)
    return FolderStorage(root, folder)
