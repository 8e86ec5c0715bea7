"""What an expression of PromQL gives over samples at hand: as much of the language as the alerts use.

The grammar is promql-parser's. Rates are not extrapolated to the ends of their range, as Prometheus
does, so a test keeps away from the thresholds.
"""

from __future__ import annotations

import operator
import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import fsum
from statistics import fmean, linear_regression
from typing import Any

import promql_parser as promql

LOOKBACK = 300.0  # seconds for which a sample stands

Labels = frozenset[tuple[str, str]]
Vector = dict[Labels, float]
Sample = tuple[float, float]  # at which second, and the value


@dataclass(frozen=True)
class Series:
    """The samples of one metric with its labels, in order of time."""

    name: str
    labels: Labels
    samples: Sequence[Sample]


def labelled(**labels: str) -> Labels:
    """The set of `labels`."""
    return frozenset(labels.items())


def evaluate(expression: str, series: Sequence[Series], at: float) -> Vector:
    """What `expression` gives at the second `at`; a scalar has no labels."""
    return _Evaluation(series, at).of(promql.parse(expression))


class _Evaluation:
    def __init__(self, series: Sequence[Series], at: float) -> None:
        self._series = series
        self._at = at

    def of(self, node: Any) -> Vector:
        match node:
            case promql.NumberLiteral():
                return {frozenset(): node.val}
            case promql.ParenExpr():
                return self.of(node.expr)
            case promql.VectorSelector():
                return {labels: found[-1][1] for labels, found in self._range(node, LOOKBACK)}
            case promql.Call():
                return self._call(node.func.name, node.args)
            case promql.AggregateExpr():
                return self._aggregate(node)
            case promql.BinaryExpr():
                return self._binary(node)
        raise NotImplementedError(type(node).__name__)

    def _range(self, selector: Any, seconds: float) -> list[tuple[Labels, list[Sample]]]:
        """The samples of each series that `selector` selects, of the last `seconds`, if any."""
        end = self._at - (selector.offset.total_seconds() if selector.offset else 0.0)
        found = [
            (
                each.labels,
                [(at, value) for at, value in each.samples if end - seconds <= at <= end],
            )
            for each in self._series
            if each.name == selector.name and _selected(each.labels, selector.matchers.matchers)
        ]
        return [(labels, samples) for labels, samples in found if samples]

    def _call(self, name: str, arguments: Sequence[Any]) -> Vector:
        if name == "time":
            return {frozenset(): self._at}
        (argument,) = arguments
        ranges = self._range(argument.vector_selector, argument.range.total_seconds())
        if name == "absent_over_time":
            return {} if ranges else {frozenset(): 1.0}
        function, fewest = _OVER_TIME[name]
        return {labels: function(found) for labels, found in ranges if len(found) >= fewest}

    def _aggregate(self, node: Any) -> Vector:
        assert node.modifier.type == promql.AggModifierType.Without
        groups: defaultdict[Labels, list[float]] = defaultdict(list)
        for labels, value in self.of(node.expr).items():
            groups[_without(labels, node.modifier.labels)].append(value)
        function = _AGGREGATIONS[str(node.op)]
        return {labels: function(values) for labels, values in groups.items()}

    def _binary(self, node: Any) -> Vector:
        left, right, name = self.of(node.lhs), self.of(node.rhs), str(node.op)
        on = node.modifier.matching.labels if node.modifier and node.modifier.matching else None
        if name in _SETS:
            there = {_only(labels, on) for labels in right}
            kept = {k: v for k, v in left.items() if (_only(k, on) in there) == (name == "and")}
            return {**right, **left} if name == "or" else kept
        if _is_scalar(node.lhs):
            left = dict.fromkeys(right, left[frozenset()])
        if _is_scalar(node.rhs):
            right = dict.fromkeys(left, right[frozenset()])
        pairs = {labels: (left[labels], right[labels]) for labels in left if labels in right}
        if name in _COMPARISONS:
            return {k: a for k, (a, b) in pairs.items() if _COMPARISONS[name](a, b)}
        return {k: _ARITHMETIC[name](a, b) for k, (a, b) in pairs.items()}


def _selected(labels: Labels, matchers: Sequence[Any]) -> bool:
    own = dict(labels)
    return all(_MATCHES[str(each.op)](each.value, own.get(each.name, "")) for each in matchers)


def _without(labels: Labels, names: Sequence[str]) -> Labels:
    return frozenset((name, value) for name, value in labels if name not in names)


def _only(labels: Labels, names: Sequence[str] | None) -> Labels:
    return labels if names is None else frozenset(each for each in labels if each[0] in names)


def _is_scalar(node: Any) -> bool:
    number = isinstance(node, promql.NumberLiteral)
    return number or (isinstance(node, promql.Call) and node.func.name == "time")


def _increase(samples: Sequence[Sample]) -> float:
    """A counter that falls has begun anew."""
    return fsum(b - a if b >= a else b for (_, a), (_, b) in pairwise(samples))


def _slope(samples: Sequence[Sample]) -> float:
    return linear_regression(*zip(*samples, strict=True)).slope


_OVER_TIME: dict[str, tuple[Callable[[Sequence[Sample]], float], int]] = {
    "avg_over_time": (lambda samples: fmean(value for _, value in samples), 1),
    "max_over_time": (lambda samples: max(value for _, value in samples), 1),
    "last_over_time": (lambda samples: samples[-1][1], 1),
    "increase": (_increase, 2),
    "rate": (lambda samples: _increase(samples) / (samples[-1][0] - samples[0][0]), 2),
    "deriv": (_slope, 2),
}
_MATCHES: dict[str, Callable[[str, str], bool]] = {
    "MatchOp.Equal": operator.eq,
    "MatchOp.NotEqual": operator.ne,
    "MatchOp.Re": lambda wanted, value: re.fullmatch(wanted, value) is not None,
}
_AGGREGATIONS: dict[str, Callable[[list[float]], float]] = {"sum": fsum, "max": max}
_SETS = {"and", "or", "unless"}
_COMPARISONS = {">": operator.gt, "<": operator.lt, "==": operator.eq}
_ARITHMETIC = {"+": operator.add, "-": operator.sub, "*": operator.mul}
