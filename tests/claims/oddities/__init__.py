"""Oddities that a drawn world may have, each a function that sets up one of them for a span of time.

An oddity wraps what is there already, so that those of different aspects can be combined; they are set up
in the order of the table. To see what a seed draws and which promises it breaks::

    python -c "from tests.claims.oddities.drawing import run_drawn; print(*run_drawn(4711), sep='\\n')"
"""
