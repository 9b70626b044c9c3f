"""Amaranth components. They never see a graph; everything they need comes as arguments."""

from __future__ import annotations

import warnings

from amaranth.hdl import UnusedElaboratable

# Planners make components only to ask what they would cost; that is no mistake.
warnings.filterwarnings("ignore", category=UnusedElaboratable)
