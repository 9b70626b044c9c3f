"""Which storage each tensor lies in: pixel sizes, halos, row distances that must agree, lifetimes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from hwgen.ir.graph import Graph
from hwgen.ir.node import Node
from hwgen.layers.add.op import Add
from hwgen.layers.conv.op import Conv
from hwgen.layers.depthwise.op import Depthwise
from hwgen.layers.maxpool.op import MaxPool
from hwgen.layers.pad.op import Pad
from hwgen.layers.reshape.op import Reshape
from hwgen.layers.staircase.op import Step
from hwgen.layers.sumpool.op import SumPool
from hwgen.layers.window import Window
from hwgen.plan.systolic.concat import Slot, complaint, slots
from hwgen.plan.systolic.inner import INSIDE, Raised, Rise, Together
from hwgen.plan.systolic.layout import Storage, View, offset_of
from hwgen.program.array import GRANULE, Array

HOST = ("softmax", "argmax")
ENGINE = (Add, Conv, Depthwise, MaxPool, Pad, Raised, Reshape, Rise, Step, SumPool, Together)
Report = Callable[[str], None]


@dataclass(eq=False)
class Arrangement:
    """nodes: what the engine computes, in order. tail: what the host computes of `outputs`, the tensors that
    leave the engine. views: where each of the engine's tensors lies."""

    nodes: list[Node]
    tail: list[Node]
    outputs: list[str]
    views: dict[str, View] = field(default_factory=dict)
    storages: list[Storage] = field(default_factory=list)


def flattened(graph: Graph) -> Graph:
    """A fully connected layer of a flattened image becomes a convolution whose kernel is the image's size."""
    made = {node.output: node for node in graph.nodes}
    nodes: list[Node] = []
    for node in graph.nodes:
        if isinstance(node, Conv) and node.window.kernel == (1, 1) and not any(node.window.pad):
            source = made.get(node.inputs[0])
            shape = graph.tensors[source.inputs[0]].shape if isinstance(source, Reshape) else (1, 1, 0)
            if isinstance(source, Reshape) and source.shape[:2] == (1, 1) and shape[:2] != (1, 1):
                weights = node.weights.reshape(len(node.weights), *shape)
                window = Window(kernel=shape[:2])
                node = replace(node, inputs=source.inputs, weights=weights, window=window)
        nodes.append(node)
    return graph.rebuilt(nodes)


def arrange(graph: Graph, array: Array, report: Report) -> Arrangement:
    """Everything but addresses; `report` gets a line for each thing that the engine cannot do."""
    tail = _tail(graph)
    nodes = [node for node in graph.nodes if node not in tail]
    for node in nodes:
        if not isinstance(node, ENGINE):
            report(f"{node.name}: {node.kind} does not run on the systolic engine")
    wanted = [name for node in tail for name in node.inputs] + [edge.tensor for edge in graph.outputs]
    hosted = {node.output for node in tail}
    outputs = list(dict.fromkeys(name for name in wanted if name not in hosted))
    result = Arrangement(nodes, tail, outputs)
    for name, tensor in graph.tensors.items():
        if name not in hosted and INSIDE not in name and offset_of(tensor.range) is None:
            report(f"{name}: values of {tensor.range} are no bytes")
    for edge in graph.inputs:
        _place_input(graph, edge.tensor, result, array)
    parts = slots(graph, array)
    for number, node in enumerate(nodes):
        if node.output in parts:
            _place_part(graph, node, number, parts[node.output], result, array, report)
        else:
            _place(graph, node, number, result, array, report)
    _halos(graph, result, report)
    _alike(result)
    _lives(graph, result)
    return result


def windowed(node: Node) -> Window:
    """The window that a node slides; one pixel for those without."""
    return node.window if isinstance(node, Conv | Depthwise | MaxPool | SumPool) else Window()


def border(node: Node, graph: Graph) -> int:
    """The value that a node sees outside the image."""
    if isinstance(node, Conv | Depthwise):
        return node.pad_value
    if isinstance(node, MaxPool):
        return graph.tensors[node.inputs[0]].range.lo
    return 0


def _tail(graph: Graph) -> list[Node]:
    """Nodes that the host computes: softmax and argmax at the end, and what follows them."""
    tail: list[Node] = []
    made: set[str] = set()
    for node in graph.nodes:
        later = any(name in made for name in node.inputs)
        if later or node.kind in HOST:
            tail.append(node)
            made.add(node.output)
    inner = [n for n in tail if n.kind not in (*HOST, "reshape")]
    return [] if inner else tail


def _store(result: Arrangement, storage: Storage) -> Storage:
    result.storages.append(storage)
    return storage


def _offset(graph: Graph, name: str) -> int:
    return offset_of(graph.tensors[name].range) or 0


def _place_input(graph: Graph, name: str, result: Arrangement, array: Array) -> None:
    """An input may lie without gaps between its pixels if only convolutions read it."""
    shape = graph.tensors[name].shape
    readers = [node for node in graph.consumers(name) if not _idle(node, graph)]
    if len(readers) == 1 and isinstance(readers[0], Reshape):
        shape, readers = readers[0].shape, graph.consumers(readers[0].output)
    whole = Storage(name, shape, _up(shape[2], array.columns), array.columns, first=-1)
    chosen = whole
    if readers and all(isinstance(node, Conv) for node in readers):
        convs = [node for node in readers if isinstance(node, Conv)]
        least = _passes(convs, whole, array)
        for pixel, by_rows in ((shape[2], True), (_up(shape[2], GRANULE), False)):
            each = Storage(name, shape, pixel, array.columns, by_rows, first=-1)
            if _possible(each, convs, array) and (_passes(convs, each, array), each.size) < (
                least, chosen.size,
            ):  # fmt: skip
                chosen, least = each, _passes(convs, each, array)
    result.views[name] = View(_store(result, chosen), shape, _offset(graph, name))


def _narrow(node: Node, graph: Graph, result: Arrangement, array: Array) -> bool:
    """Whether pixels of fewer bytes than are written at a time may lie side by side.

    What a write spoils is the next pixel, written later, or the gap at the row's end; so nothing around the
    image may be needed, and nobody may read words of `columns` bytes but convolutions.
    """
    readers = graph.consumers(node.output)
    # not where activations have ports of their own: their writes of words that overlap were seen to go wrong
    return (
        array.shared_activations
        and graph.tensors[node.output].shape[2] < array.columns
        and isinstance(node, Conv | Depthwise)
        and node.output not in result.outputs
        and bool(readers)
        and all(isinstance(each, Conv) and not any(each.window.pad) for each in readers)
    )


def _idle(node: Node, graph: Graph) -> bool:
    """A change of shape that nothing in the engine reads."""
    return isinstance(node, Reshape) and all(n.kind in HOST for n in graph.consumers(node.output))


def _passes(readers: Sequence[Conv], storage: Storage, array: Array) -> int:
    return sum(
        node.window.kernel[0] * _up(node.window.kernel[1] * storage.pixel, array.rows) for node in readers
    )


def _possible(storage: Storage, readers: Sequence[Conv], array: Array) -> bool:
    """Whether all addresses are those of granules and a Take can bring it."""
    height, width, channels = storage.shape
    left, right = (max(node.window.pad[side] for node in readers) for side in (2, 3))
    for node in readers:
        out = (width + sum(node.window.pad[2:]) - node.window.kernel[1]) // node.window.stride[1] + 1
        if out > 1 and node.window.stride[1] * storage.pixel % GRANULE:
            return False
        if (left - node.window.pad[2]) * storage.pixel % GRANULE:
            return False
    if not storage.by_rows:
        return width * storage.pixel % array.columns == 0
    row = _up((width + max(left, right)) * channels, array.columns)
    lead = left * channels
    return lead < 256 and row - lead - width * channels < 256 and row <= 256 * array.columns and height <= 256


def _place(graph: Graph, node: Node, number: int, result: Arrangement, array: Array, report: Report) -> None:
    shape = graph.tensors[node.output].shape
    if isinstance(node, Pad):
        x = result.views[node.inputs[0]]
        top, left = node.pad[0], node.pad[2]
        offset = _offset(graph, node.output)
        result.views[node.output] = View(x.storage, shape, offset, x.dy - top, x.dx - left)
        if x.offset != offset:
            report(f"{node.name}: values that no bytes hold together with the image's")
    elif isinstance(node, Reshape):
        x = result.views[node.inputs[0]]
        if x.shape != shape and not _idle(node, graph):
            report(f"{node.name}: another shape ({node.describe()}) in the middle of the network")
        result.views[node.output] = x
    else:
        storage = Storage(node.output, shape, _up(shape[2], array.columns), array.columns, first=number)
        if _narrow(node, graph, result, array):
            storage.pixel = _up(shape[2], GRANULE)
            storage.gap = -(-array.columns // storage.pixel) - 1
        _store(result, storage)
        result.views[node.output] = View(storage, shape, _offset(graph, node.output))


def _place_part(
    graph: Graph, node: Node, number: int, slot: Slot, result: Arrangement, array: Array, report: Report
) -> None:
    """A part of what is put together, or the whole; the first of them makes the storage."""
    problem = complaint(node, graph) if isinstance(node, Together) else None
    if problem:
        report(f"{node.name}: {problem}")
    storage = next((each for each in result.storages if each.name == slot.whole), None)
    if storage is None:
        storage = Storage(
            slot.whole, graph.tensors[slot.whole].shape, slot.pixel, array.columns, first=number
        )
        _store(result, storage)
    offset = _offset(graph, slot.whole)
    shape = graph.tensors[node.output].shape
    result.views[node.output] = View(storage, shape, offset, first=slot.first)


def _halos(graph: Graph, result: Arrangement, report: Report) -> None:
    for node in result.nodes:
        if isinstance(node, Pad):
            top, bottom, left, right = node.pad
            _widen(result.views[node.inputs[0]], (top, bottom, left, right), node.value, node, report)
            continue
        if isinstance(node, Reshape):
            continue
        window = windowed(node)
        for name in node.inputs:
            x = result.views[name]
            out = graph.tensors[node.output].shape
            top, _, left, _ = window.pad
            needs = [
                (out[axis] - 1) * window.stride[axis] + window.kernel[axis] - pad - x.shape[axis]
                for axis, pad in ((0, top), (1, left))
            ]
            sides = (top, needs[0], left, needs[1])
            _widen(x, sides, border(node, graph), node, report)


def _widen(x: View, sides: tuple[int, int, int, int], value: int, node: Node, report: Report) -> None:
    """Halo of the storage for what is seen beyond a view's image."""
    height, width, _ = x.storage.shape
    top, bottom, left, right = sides
    wanted = (
        top - x.dy, x.dy + x.shape[0] + bottom - height, left - x.dx, x.dx + x.shape[1] + right - width
    )  # fmt: skip
    if max(sides) > 0:
        if x.storage.value not in (None, value - x.offset):
            report(f"{node.name}: its border is {value}, another layer's of the same tensor is not")
        if not -128 <= value - x.offset <= 127:
            report(f"{node.name}: its border of {value} is no byte")
        x.storage.value = value - x.offset
    x.storage.widen(*(max(each, 0) for each in wanted))


def _alike(result: Arrangement) -> None:
    """Both inputs of an addition get the same distance between rows."""
    changed = True
    while changed:
        changed = False
        for node in result.nodes:
            if isinstance(node, Add | Raised):
                a, b = (result.views[name].storage for name in node.inputs)
                gap = max(max(s.left, s.right, s.gap) for s in (a, b))
                for each in (a, b):
                    if max(each.left, each.right, each.gap) != gap:
                        each.gap, changed = gap, True


def _lives(graph: Graph, result: Arrangement) -> None:
    for number, node in enumerate(result.nodes):
        for name in node.inputs:
            storage = result.views[name].storage
            storage.last = max(storage.last, number)
    for storage in result.storages:
        storage.last = max(storage.last, storage.first)
    for name in result.outputs:
        result.views[name].storage.last = len(result.nodes)


def _up(value: int, step: int) -> int:
    return -(-value // step) * step
