"""The collector under a virtual clock: days in seconds, every source of chance from one seed."""

from sandbox.simulation.outcome import Outcome
from sandbox.simulation.run import Run, simulate
from sandbox.simulation.scenario import GROUPS, Scenario, draw

__all__ = ["GROUPS", "Outcome", "Run", "Scenario", "draw", "simulate"]
