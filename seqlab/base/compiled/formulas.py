"""Formulas that become instructions where they are used: each works on one number or on a vector of them.

A compiled function in their place is typed and optimised anew within every function around it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.extending import lower_builtin, type_callable

from .simd import FLOAT, INT32, INT64, LANES, Codegen, Emitter, primitive


class Number:
    """A number of compiled code, or a vector of them, while that is emitted: arithmetic emits instructions.

    They carry no flags, so those of the function around them count.

    Attributes:
        builder: of LLVM's instructions.
        value: float32 or float64.
    """

    def __init__(self, builder: Any, value: Any):
        self.builder, self.value = builder, value

    def _of(self, other: Number | float) -> Any:
        return other.value if isinstance(other, Number) else constant(self.value.type, other)

    def __add__(self, other: Number | float) -> Number:
        return Number(self.builder, self.builder.fadd(self.value, self._of(other)))

    def __sub__(self, other: Number | float) -> Number:
        return Number(self.builder, self.builder.fsub(self.value, self._of(other)))

    def __mul__(self, other: Number | float) -> Number:
        return Number(self.builder, self.builder.fmul(self.value, self._of(other)))

    def __rtruediv__(self, other: float) -> Number:
        return Number(self.builder, self.builder.fdiv(self._of(other), self.value))

    def __neg__(self) -> Number:
        return Number(self.builder, self.builder.fneg(self.value))

    def at_least(self, bound: float) -> Number:
        """The larger of both; no number stays none."""
        return self._unless(">", bound)

    def at_most(self, bound: float) -> Number:
        """The smaller of both; no number stays none."""
        return self._unless("<", bound)

    def _unless(self, comparison: str, bound: float) -> Number:
        beyond = self.builder.fcmp_ordered(comparison, self._of(bound), self.value)
        return Number(self.builder, self.builder.select(beyond, self._of(bound), self.value))

    def selected(self, comparison: str, bound: Number | float, yes: Number | float, no: Number | float) -> Number:
        """One of two where it compares with a bound, else the other; no number never does."""
        holds = self.builder.fcmp_ordered(comparison, self.value, self._of(bound))
        return Number(self.builder, self.builder.select(holds, self._of(yes), self._of(no)))

    def library(self, name: str) -> Number:
        """What LLVM's function of that name makes of it."""
        kind = self.value.type
        vector = isinstance(kind, ir.VectorType)
        suffix = f"v{kind.count}{kind.element.intrinsic_name}" if vector else kind.intrinsic_name
        declared = ir.FunctionType(kind, [kind])
        function = self.builder.module.declare_intrinsic(f"llvm.{name}.{suffix}", (), declared)
        return Number(self.builder, self.builder.call(function, [self.value]))

    @property
    def single(self) -> bool:
        """Whether it is a float32."""
        kind = self.value.type
        return (kind.element if isinstance(kind, ir.VectorType) else kind) == FLOAT

    @property
    def integers(self) -> Any:
        """The type of as many 32-bit integers."""
        kind = self.value.type
        return ir.VectorType(INT32, kind.count) if isinstance(kind, ir.VectorType) else INT32

    def whole(self, value: int) -> Any:
        """A 32-bit integer beside each of its numbers."""
        return constant(self.integers, value)


def constant(kind: Any, value: float) -> Any:
    """A number, in every lane of a vector."""
    return ir.Constant(kind, [value] * kind.count if isinstance(kind, ir.VectorType) else value)


def emitted(function: Callable[..., Any]) -> Callable[[Callable[[Number], Number]], Callable[[Number], Number]]:
    """Make what a formula emits of a float32 or float64 the compiled form of a function."""

    def register(formula: Callable[[Number], Number]) -> Callable[[Number], Number]:
        @type_callable(function)
        def typed(context: Any) -> Callable[[Any], Any]:
            return lambda x: x if isinstance(x, types.Float) else None

        @lower_builtin(function, types.Float)
        def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            return formula(Number(builder, values[0])).value

        return formula

    return register


FOLDS = {
    "sum": (0.0, lambda a, b: a + b),
    "max": (-math.inf, lambda a, b: b.selected(">", a, b, a)),
}
"""How the numbers that a formula makes at all places become one: what that begins with, and how one more is added."""


def vector_loop(*folds: str) -> Callable[[Callable[..., Sequence[Number]]], Any]:
    """Make a formula of several numbers an intrinsic that applies it along rows, a vector at a time.

    It is written out here, as LLVM takes long to make vectors of a plain loop, and makes four of each.

    Args:
        folds: names from FOLDS for the last of what the formula returns; the others are written.

    Returns:
        run(first, past, outputs, inputs), for the places from `first` up to `past`. Outputs are a tuple of pointers to
        float32, inputs of pointers and of numbers that are the same at all places; an output may be an input. Returns
        what was folded: nothing, a number, or a tuple.
    """

    def of(formula: Callable[..., Sequence[Number]]) -> Any:
        @primitive
        def run(typing: Any, first: Any, past: Any, outputs: Any, inputs: Any) -> tuple[Any, Codegen]:
            def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
                begin, end, *tuples = values
                targets, sources = (
                    cgutils.unpack_tuple(builder, one, len(kinds))
                    for one, kinds in zip(tuples, (outputs, inputs), strict=True)
                )
                found = [cgutils.alloca_once_value(builder, constant(FLOAT, FOLDS[name][0])) for name in folds]
                whole = builder.mul(
                    builder.sdiv(builder.sub(end, begin), ir.Constant(INT64, LANES)), ir.Constant(INT64, LANES)
                )
                middle = builder.add(begin, whole)
                for start, stop, lanes in ((begin, middle, LANES), (middle, end, 1)):
                    with builder.if_then(builder.icmp_signed("<", start, stop)):
                        part = _Part(builder, formula, folds, targets, sources, inputs, lanes)
                        part.emit(start, stop, found)
                results = [builder.load(one) for one in found]
                if len(folds) < 2:
                    return results[0] if folds else context.get_dummy_value()
                return context.make_tuple(builder, signature.return_type, results)

            one = types.float32 if folds else types.none
            made = types.UniTuple(types.float32, len(folds)) if len(folds) > 1 else one
            return made(types.int64, types.int64, outputs, inputs), emit

        return run

    return of


class _Part(NamedTuple):
    """The loop over vectors of `lanes` numbers, of a formula as `vector_loop` has it."""

    builder: Any
    formula: Callable[..., Sequence[Number]]
    folds: Sequence[str]
    targets: Sequence[Any]
    sources: Sequence[Any]
    kinds: Sequence[Any]
    lanes: int

    def emit(self, start: Any, stop: Any, found: Sequence[Any]) -> None:
        """Go from `start` to `stop`, and fold into what `found` points to."""
        builder, simd = self.builder, Emitter(None, self.builder, self.lanes)
        kind = simd.vector if self.lanes > 1 else FLOAT
        fixed = [
            None if isinstance(one, types.CPointer) else (simd.splat(source) if self.lanes > 1 else source)
            for one, source in zip(self.kinds, self.sources, strict=True)
        ]

        def at(pointer: Any, place: Any) -> Any:
            return builder.bitcast(builder.gep(pointer, [place]), kind.as_pointer())

        def step(k: Any, carried: list[Any]) -> list[Any]:
            place = builder.add(start, builder.mul(k, ir.Constant(INT64, self.lanes)))
            numbers = [
                Number(builder, builder.load(at(source, place), align=4) if one is None else one)
                for source, one in zip(self.sources, fixed, strict=True)
            ]
            made = self.formula(*numbers)
            for pointer, number in zip(self.targets, made, strict=False):
                builder.store(number.value, at(pointer, place), align=4)
            rest = made[len(self.targets) :]
            return [
                FOLDS[name][1](Number(builder, before), number).value
                for name, before, number in zip(self.folds, carried, rest, strict=True)
            ]

        begins = [constant(kind, FOLDS[name][0]) for name in self.folds]
        count = builder.sdiv(builder.sub(stop, start), ir.Constant(INT64, self.lanes))
        for name, place, value in zip(self.folds, found, simd.loop(count, begins, step, once=True), strict=True):
            fold, total, lanes = FOLDS[name][1], Number(builder, value), self.lanes
            while lanes > 1:
                lanes //= 2
                upper = simd.shuffle(total.value, total.value, [(i + lanes) % self.lanes for i in range(self.lanes)])
                total = fold(total, Number(builder, upper))
            one = total.value
            if self.lanes > 1:
                one = builder.extract_element(one, ir.Constant(INT32, 0))
            builder.store(fold(Number(builder, builder.load(place)), Number(builder, one)).value, place)
