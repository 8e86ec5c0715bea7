"""The steps of ``check``, one module each."""
