"""Staircase hardware: one file a form, one unit that picks the cheapest exact one."""

from __future__ import annotations

from hwgen.hw.staircase.form import NoForm
from hwgen.hw.staircase.unit import FORMS, StaircaseUnit, plan_staircase, staircase_cost

__all__ = ["FORMS", "NoForm", "StaircaseUnit", "plan_staircase", "staircase_cost"]
