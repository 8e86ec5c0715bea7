"""What reading costs: requests, rows, storage and memory, counted under the virtual clock."""

from sandbox.measures.rig import Figures, Rig

__all__ = ["Figures", "Rig"]
