"""A layered layout of a directed graph without cycles: layers, order in them, coordinates.

Long edges get a dummy node on each layer that they cross; the order in the layers comes from
sweeps by the mean place of the neighbours, of which the one with the fewest crossings is kept; the
coordinates from least squares under the distances that the widths need. Layer: NumPy-free, none of
wengert.

Source: Sugiyama, Tagawa and Toda, Methods for visual understanding of hierarchical system
structures, doi:10.1109/TSMC.1981.4308636; the order of coordinates by pooling adjacent violators,
Barlow et al., Statistical inference under order restrictions, section 1.2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

Key = Any  # hashable
Edge = tuple[Key, Key]
SWEEPS, PASSES = 24, 120
STRAIGHT, SOURCE = (
    16.0,
    0.01,
)  # how hard a piece of a long edge pulls on the next, an input on its user


@dataclass(frozen=True)
class Layout:
    """Where everything is: the centre of each node, its layer, and the way of each edge.

    ``routes``: for each edge its centre on every layer from the source to the target.
    """

    x: Mapping[Key, float]
    layer: Mapping[Key, int]
    layers: Sequence[Sequence[Key]]
    routes: Mapping[Edge, Sequence[float]]


def layered(widths: Mapping[Key, float], edges: Sequence[Edge], gap: float) -> Layout:
    """Lay out the nodes of ``widths``, which come in an order in which every edge points forwards.

    Args:
        widths: of each node, in any unit; long edges take none.
        edges: pairs (source, target), each once.
        gap: between neighbours in a layer, in the same unit.
    """
    layer = layers_of(list(widths), edges)
    chains = {edge: _chain(edge, layer) for edge in edges}
    rows: list[list[Key]] = [[] for _ in range(1 + max(layer.values(), default=-1))]
    for key in widths:
        rows[layer[key]].append(key)
    for edge, chain in chains.items():
        for step, dummy in enumerate(chain[1:-1], 1):
            rows[layer[edge[0]] + step].append(dummy)
    links = [pair for chain in chains.values() for pair in pairwise(chain)]
    above, below = neighbours(links)
    rows = ordered(rows, above, below)
    x = coordinates(rows, above, below, widths, gap)
    routes = {edge: [x[key] for key in chain] for edge, chain in chains.items()}
    return Layout({key: x[key] for key in widths}, layer, rows, routes)


def _chain(edge: Edge, layer: Mapping[Key, int]) -> list[Key]:
    """The source, a dummy for each layer between, the target."""
    source, target = edge
    dummies = [("dummy", source, target, n) for n in range(layer[source] + 1, layer[target])]
    return [source, *dummies, target]


def layers_of(nodes: Sequence[Key], edges: Sequence[Edge]) -> dict[Key, int]:
    """The longest path to each node; what has no incoming edge stands next to its first user."""
    layer = dict.fromkeys(nodes, 0)
    place = {key: i for i, key in enumerate(nodes)}
    for source, target in sorted(edges, key=lambda edge: place[edge[0]]):
        layer[target] = max(layer[target], layer[source] + 1)
    targets = {target for _, target in edges}
    users: dict[Key, list[int]] = {}
    for source, target in edges:
        users.setdefault(source, []).append(layer[target])
    for key in nodes:
        if key not in targets and key in users:
            layer[key] = min(users[key]) - 1
    return layer


def neighbours(links: Sequence[Edge]) -> tuple[dict[Key, list[Key]], dict[Key, list[Key]]]:
    """For each node those above it, and those below it."""
    above: dict[Key, list[Key]] = {}
    below: dict[Key, list[Key]] = {}
    for upper, lower in links:
        above.setdefault(lower, []).append(upper)
        below.setdefault(upper, []).append(lower)
    return above, below


# --- order ---------------------------------------------------------------------------------------


def ordered(
    rows: list[list[Key]], above: Mapping[Key, list[Key]], below: Mapping[Key, list[Key]]
) -> list[list[Key]]:
    """The rows in the order with the fewest crossings that the sweeps find."""
    best, fewest = [list(row) for row in rows], crossings(rows, below)
    for sweep in range(SWEEPS):
        if not fewest:
            break
        downwards = sweep % 2 == 0
        numbers = range(1, len(rows)) if downwards else range(len(rows) - 2, -1, -1)
        for n in numbers:
            beside = rows[n - 1] if downwards else rows[n + 1]
            place = {key: i for i, key in enumerate(beside)}
            rows[n] = _by_mean(rows[n], place, above if downwards else below, sweep % 4 > 1)
        count = crossings(rows, below)
        if count < fewest:
            best, fewest = [list(row) for row in rows], count
    return best


def _by_mean(
    row: list[Key], place: Mapping[Key, int], beside: Mapping[Key, list[Key]], flip: bool
) -> list[Key]:
    """``row`` sorted by the mean place of the neighbours; ``flip`` turns ties round."""
    means: dict[Key, float] = {}
    for i, key in enumerate(row):
        places = [place[other] for other in beside.get(key, ())]
        means[key] = sum(places) / len(places) if places else i * len(place) / max(len(row), 1)
    start = row[::-1] if flip else row
    return sorted(start, key=lambda key: means[key])


def crossings(rows: Sequence[Sequence[Key]], below: Mapping[Key, list[Key]]) -> int:
    """How many pairs of links cross."""
    total = 0
    for upper, lower in pairwise(rows):
        place = {key: i for i, key in enumerate(lower)}
        seen: list[int] = []
        for key in upper:
            ends = [place[other] for other in below.get(key, ())]
            total += sum(before > end for end in ends for before in seen)
            seen += ends
    return total


# --- coordinates ---------------------------------------------------------------------------------


def coordinates(
    rows: Sequence[Sequence[Key]],
    above: Mapping[Key, list[Key]],
    below: Mapping[Key, list[Key]],
    widths: Mapping[Key, float],
    gap: float,
) -> dict[Key, float]:
    """The centre of each node and dummy."""
    x: dict[Key, float] = {}
    offsets = [_offsets(row, widths, gap) for row in rows]
    for row, places in zip(rows, offsets, strict=True):
        middle = (places[0] + places[-1]) / 2 if row else 0.0
        x.update({key: place - middle for key, place in zip(row, places, strict=True)})
    for sweep in range(PASSES):
        sides = ((above,), (below,), (above, below))[sweep % 3]
        numbers = range(len(rows)) if sweep % 2 else range(len(rows) - 1, -1, -1)
        for n in numbers:
            wanted, weights = [], []
            for key in rows[n]:
                pulls = [
                    (_pull(key, k, above, widths), x[k]) for s in sides for k in s.get(key, ())
                ]
                total = sum(weight for weight, _ in pulls)
                wanted.append(sum(w * place for w, place in pulls) / total if pulls else x[key])
                light = key in widths and key not in above  # an input makes room for what computes
                weights.append(SOURCE if light or not pulls else total)
            x.update(zip(rows[n], spread(wanted, weights, offsets[n]), strict=True))
    return x


def _pull(
    key: Key, other: Key, above: Mapping[Key, list[Key]], widths: Mapping[Key, float]
) -> float:
    """How hard ``other`` pulls on ``key``: long edges stay straight, inputs go to their users."""
    if key not in widths and other not in widths:
        return STRAIGHT
    return SOURCE if other in widths and other not in above else 1.0


def _offsets(row: Sequence[Key], widths: Mapping[Key, float], gap: float) -> list[float]:
    """Where the centres of ``row`` would be, packed as close as they may stand."""
    offsets, place = [], 0.0
    for key in row:
        half = widths.get(key, 0.0) / 2
        offsets.append(place + half)
        place += 2 * half + gap
    return offsets


def spread(
    wanted: Sequence[float], weights: Sequence[float], offsets: Sequence[float]
) -> list[float]:
    """The places nearest to ``wanted``, in weighted least squares, that keep the distances."""
    blocks: list[tuple[float, float, int]] = []  # mean of wanted - offset, weight, how many
    for want, weight, offset in zip(wanted, weights, offsets, strict=True):
        block = (want - offset, weight, 1)
        while blocks and blocks[-1][0] > block[0]:
            mean, heavy, count = blocks.pop()
            total = heavy + block[1]
            block = ((mean * heavy + block[0] * block[1]) / total, total, count + block[2])
        blocks.append(block)
    shifts = [mean for mean, _, count in blocks for _ in range(count)]
    return [shift + offset for shift, offset in zip(shifts, offsets, strict=True)]
