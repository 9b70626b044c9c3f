"""Window attributes that ONNX convolutions and pools share."""

from __future__ import annotations

from hwgen.layers.onnx_operation import Damaged, Operation, Unsupported
from hwgen.layers.window import Window

MAX_LENGTH = 1 << 16


def window(op: Operation, size: tuple[int, ...], kernel: tuple[int, ...]) -> tuple[Window, tuple[int, int]]:
    """(window over an image of `size` (H, W), dilation). The kernel of the window includes dilation.

    Sources: ONNX Conv and MaxPool (pads are top, left, bottom, right; auto_pad; ceil_mode).
    """
    if len(kernel) != 2 or len(size) != 2:
        raise Unsupported("only windows over two dimensions (NCHW) are supported")
    strides = _pair(op, "strides")
    dilation = _pair(op, "dilations")
    taps = tuple((k - 1) * d + 1 for k, d in zip(kernel, dilation))
    if min(taps) < 1 or max(taps) > MAX_LENGTH:
        raise Damaged(f"a window of {taps[0]}x{taps[1]}")
    mode = op.text("auto_pad", "NOTSET") or "NOTSET"
    if mode == "NOTSET":
        pads = op.integers("pads", [0, 0, 0, 0])
        if pads is None or len(pads) != 4 or max(pads) > MAX_LENGTH:
            raise Damaged(f"pads are {pads}")
        if min(pads) < 0:
            raise Unsupported("negative pads")
        top, left, bottom, right = pads
    elif mode == "VALID":
        top = left = bottom = right = 0
    elif mode in ("SAME_UPPER", "SAME_LOWER"):
        lower = mode == "SAME_LOWER"
        (top, bottom), (left, right) = (
            _same(*lengths, lower) for lengths in zip(size, taps, strides, strict=True)
        )
    else:
        raise Damaged(f"auto_pad is {mode}")
    if op.integer("ceil_mode", 0):
        bottom += _ceil_extra(size[0], taps[0], strides[0], top, bottom)
        right += _ceil_extra(size[1], taps[1], strides[1], left, right)
    return Window((taps[0], taps[1]), strides, (top, bottom, left, right)), dilation


def kernel_shape(op: Operation) -> tuple[int, ...]:
    """The attribute of pools."""
    kernel = op.integers("kernel_shape")
    if not kernel or min(kernel) < 1:
        raise Damaged(f"kernel_shape is {kernel}")
    return tuple(kernel)


def _pair(op: Operation, name: str) -> tuple[int, int]:
    values = op.integers(name) or [1, 1]
    if len(values) != 2 or min(values) < 1 or max(values) > MAX_LENGTH:
        raise (
            Damaged(f"{name} are {values}")
            if len(values) == 2
            else Unsupported(f"{name} of {len(values)} dimensions; two (NCHW) are supported")
        )
    return values[0], values[1]


def _same(size: int, taps: int, stride: int, lower: bool) -> tuple[int, int]:
    """Padding that gives ceil(size / stride) outputs; the odd pixel after (upper) or before (lower)."""
    total = max((-(-size // stride) - 1) * stride + taps - size, 0)
    small, large = total // 2, total - total // 2
    return (large, small) if lower else (small, large)


def _ceil_extra(size: int, taps: int, stride: int, before: int, after: int) -> int:
    """Padding that the last, partial window of ceil_mode needs; a window outside the image does not count."""
    room = size + before + after - taps
    outputs = -(-room // stride) + 1
    if (outputs - 1) * stride >= size + before:
        outputs -= 1
    return max((outputs - 1) * stride - room, 0)


def padded(op: Operation) -> bool:
    """Whether a window may see beyond the image."""
    return any(op.integers("pads") or []) or op.text("auto_pad", "") in ("SAME_UPPER", "SAME_LOWER")


def check_inside(shape: Window) -> None:
    """Every window must see the image."""
    (kh, kw), (top, bottom, left, right) = shape.kernel, shape.pad
    if max(top, bottom) >= kh or max(left, right) >= kw:
        raise Damaged(f"padding of {shape.pad} around a window of {kh}x{kw}")
