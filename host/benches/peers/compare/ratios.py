"""The statistics: medians, intervals and spreads that assume nothing about the noise."""

import math
import statistics
from collections.abc import Sequence

from .measurement import Figure, Sample

# The median of it, between the ends of an interval.
Ratio = tuple[float, float, float]


def interval(values: Sequence[float]) -> Ratio:
    """The median, between the ends of a 95 % interval of it by order statistics, or between the extremes."""
    values = sorted(values)
    count = len(values)
    outside, rank = 0.0, 0
    # The chance that at most `rank` of them are below the true median.
    while rank < count // 2:
        outside += math.comb(count, rank) / 2**count
        if 2 * outside > 0.05:
            break
        rank += 1
    rank = max(rank - 1, 0)
    return values[rank], statistics.median(values), values[count - 1 - rank]


def ratio(samples: Sequence[Sample], to: Sequence[Sample], of: Figure) -> Ratio:
    """The ratio of two peers, within the rounds."""
    return interval([a.value(of) / b.value(of) for a, b in zip(samples, to)])


def spread(values: Sequence[float]) -> float:
    """The middle half of them, as a part of their median."""
    if len(values) < 2:
        return 0.0
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return (high - low) / statistics.median(values)
