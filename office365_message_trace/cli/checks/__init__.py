"""The steps of ``check``, one module for each part of the way from the settings to the intake."""
