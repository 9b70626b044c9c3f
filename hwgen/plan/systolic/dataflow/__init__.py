"""Dataflows, one file each, found by walking this folder.

A module has NAME, WHAT (a line for people), `use(layer, array) -> Use`: cycles and accesses of a layer, and
`runs(layer, array) -> Mapping | None`: the engine's Runs of the layer if that is how it computes it.

Names in equations: image E x F of M outputs, C channels, kernel R x S, stride U x V, array A rows x B
columns.
"""

from __future__ import annotations

from hwgen.support.registry import modules

DATAFLOWS = {module.NAME: module for module in modules(__name__)}
