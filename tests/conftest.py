"""Settings of the tools that the tests use."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# Machines differ in speed, so an example may take its time; what fails once shall fail again.
settings.register_profile("here", deadline=None, derandomize=True, max_examples=100)
settings.load_profile("here")


@pytest.fixture(scope="session", autouse=True)
def _without_waiting_for_the_disk() -> Iterator[None]:
    """What tests write need not survive a power cut. The processes that they start do wait."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


@pytest.fixture(scope="module")
def s3_root() -> Iterator[Path]:
    """The data path that the SDK makes of the platform's S3 configuration."""
    from tests.s3 import s3_data_path  # takes long to import

    with s3_data_path() as root:
        yield root
