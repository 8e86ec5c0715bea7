"""Settings of the tools that the tests use."""

from hypothesis import settings

# Machines differ in speed, so an example may take its time; what fails once shall fail again.
settings.register_profile("here", deadline=None, derandomize=True, max_examples=100)
settings.load_profile("here")
