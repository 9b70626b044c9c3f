"""The best of each layer, what stays on the chip, sums over the network."""

from __future__ import annotations

import dataclasses

import pytest

from hwgen.plan.systolic.dataflow import DATAFLOWS
from hwgen.plan.systolic.energy.accesses import LEVELS, Traffic
from hwgen.plan.systolic.energy.compare import compare, facts, totals
from hwgen.plan.systolic.energy.joules import energy
from hwgen.plan.systolic.energy.layer import Layer
from hwgen.program.array import PARAMETER_WORDS, UP5K


def layer(name="layer", size=8, channels=16, outputs=16, kernel=3, depthwise=False):
    out = size - kernel + 1
    return Layer(
        name, depthwise, channels, outputs, (kernel, kernel), (1, 1), (size, size), (0, 0, 0, 0), (out, out)
    )


LAYERS = [layer("a"), layer("b", depthwise=True), layer("c", size=1, kernel=1, outputs=40)]


def test_the_best_has_the_least_energy_times_delay():
    for row in compare(LAYERS, UP5K):
        products = {n: sum(energy(u, UP5K).values()) * u.cycles for n, u in row.uses.items()}
        assert row.best == min(products, key=lambda name: products[name])
        second = sorted(products, key=lambda name: products[name])[1]
        assert row.why.startswith(second)
        assert f"{row.uses[second].cycles / row.uses[row.best].cycles:.2f} x the cycles" in row.why
        assert row.why.split(" for ")[1] in {
            "registers",
            "hand-overs",
            "memory",
            "off-chip memory",
            "products",
        }


def test_what_the_engine_has():
    names = [row.built for row in compare(LAYERS, UP5K)]
    assert names == ["weight-stationary", "row-stationary", "weight-stationary"]
    depthwise = compare(LAYERS, UP5K)[1]
    assert depthwise.uses[depthwise.built].cycles < depthwise.uses["weight-stationary"].cycles


def test_totals_are_sums():
    rows = compare(LAYERS, UP5K)
    whole = totals(rows)
    assert set(whole) == {*DATAFLOWS, "engine", "best"}
    for name in DATAFLOWS:
        assert whole[name].cycles == sum(row.uses[name].cycles for row in rows)
        assert whole[name].macs == sum(each.macs for each in LAYERS)
    assert whole["best"].memory.sums == sum(row.uses[row.best].memory.sums for row in rows)
    assert whole["engine"].cycles == sum(row.uses[row.built].cycles for row in rows)


def test_weights_beyond_the_memory_come_from_outside():
    words = 4 * (PARAMETER_WORDS + 9 * 4 * 4)  # of `a`
    enough = dataclasses.replace(UP5K, weight_words=words)
    first, second, third = compare(LAYERS, enough)
    for row, amount in (
        (first, 0),
        (second, 4 * (PARAMETER_WORDS + 3 * 4)),
        (third, 10 * (PARAMETER_WORDS + 16)),
    ):
        assert {use.offchip for use in row.uses.values()} == {Traffic(weights=4 * amount)}
    first, second, third = compare(LAYERS, dataclasses.replace(UP5K, weight_words=words - 1))
    outside = [row.uses[row.best].offchip.weights for row in (first, second, third)]
    assert outside == [4 * words, 0, 0]  # what is left is enough for both others


def test_activations_beyond_the_memory_come_from_outside():
    both = 8 * 8 * 16 + 6 * 6 * 16
    for size, outside in ((both, 0), (both - 1, both)):
        (row,) = compare(LAYERS[:1], dataclasses.replace(UP5K, activation_bytes=size))
        assert {use.offchip.activations for use in row.uses.values()} == {outside}


def test_layers_that_leave_no_room_are_named():
    small = dataclasses.replace(UP5K, rows=64, depth=16)
    with pytest.raises(ValueError, match="wide: the accumulators' 16 words"):
        compare([layer("wide", size=40, kernel=20, depthwise=True)], small)


def test_facts_are_plain_data():
    use = compare(LAYERS, UP5K)[0].uses["weight-stationary"]
    data = facts(use, UP5K)
    assert set(data["accesses"]) == set(LEVELS)
    for level in LEVELS:
        counts = data["accesses"][level]
        assert counts["total"] == counts["activations"] + counts["weights"] + counts["sums"]
    parts = data["energy_pj"]
    assert abs(parts["total"] - sum(v for k, v in parts.items() if k != "total")) <= 3
    assert data["utilisation"] == pytest.approx(LAYERS[0].macs / (16 * use.cycles), abs=1e-4)
