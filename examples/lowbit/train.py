"""Trains the low-bit networks on digits, plain and distilled, and exports them to QONNX.

    python examples/lowbit/train.py [--networks bnn twn two_bit] [--epochs 60] [--seed 1] [--output FOLDER]

Distillation (Hinton et al., 2015): a float teacher is trained first; a student then learns from

    loss = (1 - a) * cross entropy(softmax(student), label)
         + a * T^2 * KL(softmax(teacher / T) || softmax(student / T))

Seeds are fixed, one thread computes, and torch takes deterministic algorithms only: on one machine the
files come out byte for byte the same at each run.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from pathlib import Path

import numpy as np
import torch
from digits import Digits, load
from executor import run
from export import export
from networks import NETWORKS, teacher
from torch import Tensor, nn
from torch.nn import functional

BATCH = 32
RATE = 0.01  # Adam's first step; it falls to zero along a cosine
TEACHER_RATE, TEACHER_DECAY = 0.003, 0.01
TEMPERATURE, SOFT_SHARE = 2.0, 0.5  # T and a of the loss above

MOVES = torch.tensor([(0, 1), (2, 1), (1, 0), (1, 2)] + [(1, 1)] * 4)  # half of the digits move by one pixel


def train(
    net: nn.Sequential,
    digits: Digits,
    epochs: int,
    seed: int,
    rate: float,
    decay: float = 0.0,
    master: nn.Module | None = None,
) -> nn.Sequential:
    """Trains `net` in place on slightly moved digits, with `master`'s soft answers if there is one."""
    random = torch.Generator().manual_seed(seed)
    images, labels = torch.from_numpy(digits.images), torch.from_numpy(digits.labels)
    batches = len(images) // BATCH
    optimiser = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs * batches)
    net.train()
    for _ in range(epochs):
        order = torch.randperm(len(images), generator=random)
        for chosen in order[: batches * BATCH].split(BATCH):
            batch = moved(images[chosen], random)
            logits = net(batch)
            loss = functional.cross_entropy(logits, labels[chosen])
            if master is not None:
                with torch.no_grad():
                    soft = functional.log_softmax(master(batch) / TEMPERATURE, dim=1)
                student = functional.log_softmax(logits / TEMPERATURE, dim=1)
                divergence = functional.kl_div(student, soft, reduction="batchmean", log_target=True)
                loss = (1 - SOFT_SHARE) * loss + SOFT_SHARE * TEMPERATURE**2 * divergence
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return net.eval()


def moved(images: Tensor, random: torch.Generator) -> Tensor:
    """Each image at its place or one pixel up, down, left or right of it."""
    n, _, height, width = images.shape
    border = functional.pad(images, (1, 1, 1, 1))
    top, left = MOVES[torch.randint(len(MOVES), (n,), generator=random)].T
    rows, columns = top[:, None] + torch.arange(height), left[:, None] + torch.arange(width)
    chosen = border[torch.arange(n)[:, None, None], :, rows[:, :, None], columns[:, None, :]]
    return chosen.permute(0, 3, 1, 2)


def accuracy(net: nn.Module, digits: Digits) -> float:
    """Share of digits that a trained network recognises."""
    with torch.no_grad():
        classes = net(torch.from_numpy(digits.images)).argmax(dim=1).numpy()
    return float((classes == digits.labels).mean())


def check(net: nn.Module, path: Path, digits: Digits) -> None:
    """Fails unless QONNX's executor computes the trained network's very logits from the file."""
    with torch.no_grad():
        expected = net(torch.from_numpy(digits.images)).numpy()
    if not np.array_equal(run(path, digits.images), expected):
        raise ValueError(f"{path}: QONNX's executor and the trained network differ")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Train low-bit networks on digits and export them to QONNX.")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS), help="which (all)")
    parser.add_argument("--epochs", type=int, default=60, help="passes over the training digits (60)")
    parser.add_argument("--seed", type=int, default=1, help="of weights, order and moves (1)")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent, help="folder of the files")
    arguments = parser.parse_args()
    if arguments.epochs < 1:
        parser.error(f"--epochs must be 1 or more, not {arguments.epochs}")
    torch.set_num_threads(1)  # the layers are small, and the order of float sums must not depend on threads
    torch.use_deterministic_algorithms(True)

    train_digits, test_digits = load()
    start = time.monotonic()
    torch.manual_seed(arguments.seed)
    master = train(teacher(), train_digits, arguments.epochs, arguments.seed, TEACHER_RATE, TEACHER_DECAY)
    seconds = time.monotonic() - start
    print(f"float teacher: {accuracy(master, test_digits):.1%} of test digits, {seconds:.0f} s", flush=True)
    for name in arguments.networks:
        for suffix, guide in (("", None), ("_distilled", master)):
            start = time.monotonic()
            torch.manual_seed(arguments.seed)
            net = NETWORKS[name]()
            train(net, train_digits, arguments.epochs, arguments.seed, RATE, master=guide)
            seconds = time.monotonic() - start
            path = arguments.output / f"{name}{suffix}.onnx"
            export(net, path)
            check(net, path, test_digits)
            content = path.read_bytes()
            print(f"{path.name}: {accuracy(net, test_digits):.1%} of test digits, {seconds:.0f} s, ", end="")
            print(f"{len(content):,} bytes, SHA-256 {hashlib.sha256(content).hexdigest()[:16]}", flush=True)


if __name__ == "__main__":
    main()
