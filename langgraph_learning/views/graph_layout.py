"""The layout of a picture: boxes at the distances that the graph suggests, without overlaps.

It uses stress majorization (Gansner, Koren, North 2004) over boxes of different sizes; the layouts of graph libraries
place points, so that labels collide. The same graph always gives the same picture.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Edge = tuple[int, int]
ROUNDS = 120
GAP = 14.0


def place_boxes(sizes: Floats, edges: Sequence[Edge], width: float) -> Floats:
    """Return the centres of boxes of these sizes; connected parts of the graph stay together.

    Args:
        sizes: Width and height of each box.
        edges: The pairs of boxes that should be close to each other.
        width: The largest width of a row of parts.
    """
    centres = np.zeros_like(sizes)
    x = top = below = 0.0
    for part in sorted(_parts(len(sizes), edges), key=len, reverse=True):
        own = {box: number for number, box in enumerate(part)}
        spots = _apart(_near(sizes[part], [(own[a], own[b]) for a, b in edges if a in own]), sizes[part])
        low, high = (spots - sizes[part] / 2).min(axis=0), (spots + sizes[part] / 2).max(axis=0)
        if x and x + high[0] - low[0] > width:
            x, top = 0.0, below
        centres[part] = spots - low + (x, top)
        x, below = x + high[0] - low[0] + 2 * GAP, max(below, top + high[1] - low[1] + 2 * GAP)
    return centres


def _parts(count: int, edges: Sequence[Edge]) -> list[list[int]]:
    part = list(range(count))
    for start, end in edges:
        old, new = part[start], part[end]
        part = [new if name == old else name for name in part]
    return [[box for box in range(count) if part[box] == part_name] for part_name in dict.fromkeys(part)]


def _near(sizes: Floats, edges: Sequence[Edge]) -> Floats:
    """Return points whose distances are as close as possible to those along the edges."""
    distances = np.full((len(sizes), len(sizes)), np.inf)
    np.fill_diagonal(distances, 0)
    for start, end in edges:
        distances[start, end] = distances[end, start] = GAP + (sizes[start].sum() + sizes[end].sum()) / 3
    for middle in range(len(sizes)):
        distances = np.minimum(distances, distances[:, [middle]] + distances[[middle], :])
    spots = _project(distances)
    weights = np.divide(1, distances**2, out=np.zeros_like(distances), where=distances > 0)
    inverse = np.linalg.pinv(np.diag(weights.sum(axis=1)) - weights)
    for _ in range(ROUNDS):
        pull = np.divide(
            weights * distances, (apart := _distances(spots)), out=np.zeros_like(distances), where=apart > 0
        )
        spots = inverse @ ((np.diag(pull.sum(axis=1)) - pull) @ spots)
    _, axes = np.linalg.eigh(np.cov(spots.T) if len(spots) > 1 else np.eye(2))
    turned: Floats = spots @ axes[:, ::-1] * (1.0, 0.85)  # the long side is horizontal, because pages are wide
    rightwards = sum(turned[end, 0] - turned[start, 0] for start, end in edges) >= 0
    return turned if rightwards else -turned


def _project(distances: Floats) -> Floats:
    """Return the initial points, by classical scaling of the distances."""
    centring = np.eye(len(distances)) - 1 / len(distances)
    values, vectors = np.linalg.eigh(-0.5 * centring @ distances**2 @ centring)
    best = vectors[:, ::-1][:, :2] * np.sqrt(np.maximum(values[::-1][:2], 1))
    if best.shape[1] < 2:
        return np.zeros((len(distances), 2))
    # Without this, points in one spot or on one line would never leave it.
    off_line = np.column_stack([np.cos(np.arange(len(best))), np.sin(np.arange(len(best)))])
    begun: Floats = best + off_line
    return begun


def _distances(spots: Floats) -> Floats:
    distances: Floats = np.linalg.norm(spots[:, None] - spots[None], axis=2)
    return distances


def _apart(spots: Floats, sizes: Floats) -> Floats:
    """Move overlapping boxes apart, along the shorter way, until none overlap."""
    room = (sizes[:, None] + sizes[None]) / 2 + GAP
    order = np.sign(np.subtract.outer(np.arange(len(spots)), np.arange(len(spots))))[..., None]
    for _ in range(10 * ROUNDS):
        delta = spots[:, None] - spots[None]
        over = room - np.abs(delta)
        hit = (over.min(axis=2) > 0.5) & ~np.eye(len(spots), dtype=bool)
        if not hit.any():
            break
        sideways = over[..., 0] < over[..., 1]
        axes = np.stack([hit & sideways, hit & ~sideways], axis=2)
        spots = spots + (axes * over * np.where(delta == 0, order, np.sign(delta))).sum(axis=1) / 2
    return spots
