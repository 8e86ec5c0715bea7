"""Message traces of Microsoft Graph, in the sandbox."""

from sandbox.graph.options import GraphOptions
from sandbox.graph.quota import Quota
from sandbox.graph.render import GRAPH_FIELDS, graph_row
from sandbox.graph.service import GraphService

__all__ = [
    "GRAPH_FIELDS",
    "GraphOptions",
    "GraphService",
    "Quota",
    "graph_row",
]
