"""Settings of the tools that the tests use."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

# Machines differ in speed, so an example may take its time; what fails once shall fail again.
settings.register_profile("here", deadline=None, derandomize=True, max_examples=100)
settings.load_profile("here")


@pytest.fixture(scope="session", autouse=True)
def _nothing_outlives_a_power_cut() -> Iterator[None]:
    """Waiting for the disk would take half of the time; the processes that tests start do wait."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield
