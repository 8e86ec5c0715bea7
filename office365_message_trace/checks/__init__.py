"""Steps of ``check`` and of the platform's credential test, one module each."""
