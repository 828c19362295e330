"""exp, log, logistic, tanh and maxima for compiled code: no branch and no call, so that LLVM makes vectors of a loop.

In float32 they are a polynomial, several times faster than the C library's one number at a time; in float64 they are
the library's own. Outside compiled code they are numpy's.

Each becomes instructions where it stands: as compiled functions of their own they were typed and optimised once more
in every function around them, which took half of the time that a first text took to generate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import lower_builtin, register_jitable, type_callable

from .compiled import cached as cached
from .compiled.formulas import Number, emitted, vector_loop

CONTRACT = {"contract"}
"""Lets LLVM fuse a multiplication and an addition; anything more could hide a NaN."""
compiled = register_jitable(fastmath=CONTRACT, error_model="numpy")

LOWEST, HIGHEST = -80.0, 80.0
"""Powers of e that float32 holds."""


def _single(value: float) -> float:
    """The float32 nearest to a number."""
    return float(np.float32(value))


LOG2_E = _single(math.log2(math.e))
LN2_HIGH, LN2_LOW = _single(0.693359375), _single(-2.12194440e-4)
"""Their sum is ln 2 to 2^-34."""
EXPONENT_BITS, BIAS = 23, 127
"""Of a float32."""
POWERS = [_single(1 / math.factorial(n)) for n in range(6, 1, -1)]
"""Coefficients of (e^r - 1 - r) / r^2, the highest first."""
ROOT_HALF_BITS, LN2 = int(np.float32(math.sqrt(0.5)).view(np.int32)), _single(math.log(2))
LOGARITHMS = [
    _single(one)
    for one in np.polynomial.Chebyshev.interpolate(
        lambda f: np.log1p(f) / np.where(f == 0, 1, f), 8, domain=[math.sqrt(0.5) - 1, math.sqrt(2) - 1]
    )
    .convert(kind=np.polynomial.Polynomial)
    .coef[::-1]
]
"""Those of log(1 + f) / f to 3e-8, between the roots of a half and of two."""


def polynomial(x: Number, coefficients: list[float]) -> Number:
    """By Horner's rule, the highest power first."""
    total = x * coefficients[0] + coefficients[1]
    for one in coefficients[2:]:
        total = total * x + one
    return total


def exp(x: Any) -> Any:
    """e^x, with x clamped to [-80, 80]; in float32 to 2e-7 relative: 2^n from the exponent bits times a polynomial."""
    return np.exp(np.clip(x, LOWEST, HIGHEST))


@emitted(exp)
def emit_exp(x: Number) -> Number:
    x = x.at_least(LOWEST).at_most(HIGHEST)
    if not x.single:
        return x.library("exp")
    builder = x.builder
    n = (x * LOG2_E + 0.5).library("floor")
    r = x - n * LN2_HIGH - n * LN2_LOW
    total = polynomial(r, POWERS) * r * r + r + 1.0
    exponent = builder.add(builder.fptosi(n.value, x.integers), x.whole(BIAS))
    power = builder.shl(exponent, x.whole(EXPONENT_BITS))
    return total * Number(builder, builder.bitcast(power, x.value.type))


def log(x: Any) -> Any:
    """The natural logarithm of a number that is not negative.

    In float32 to 2e-7 of the larger of 1 and itself: a multiple of log 2 from the exponent bits, and a polynomial.
    Numbers below the smallest normal one, 0 among them, have about -88.
    """
    return np.log(x)


@emitted(log)
def emit_log(x: Number) -> Number:
    if not x.single:
        return x.library("log")
    builder, shift = x.builder, x.whole(EXPONENT_BITS)
    bits = builder.bitcast(x.value, x.integers)
    exponent = builder.ashr(builder.sub(bits, x.whole(ROOT_HALF_BITS)), shift)
    f = Number(builder, builder.bitcast(builder.sub(bits, builder.shl(exponent, shift)), x.value.type)) - 1.0
    n = Number(builder, builder.sitofp(exponent, x.value.type))
    return polynomial(f, LOGARITHMS) * f + n * LN2 + (x - x)  # not a number stays none


def logistic(x: Any) -> Any:
    """1 / (1 + e^-x)."""
    return 1 / (1 + exp(-x))


@emitted(logistic)
def emit_logistic(x: Number) -> Number:
    return 1.0 / (emit_exp(-x) + 1.0)


def tanh(x: Any) -> Any:
    """2 logistic(2 x) - 1."""
    return 2 * logistic(2 * x) - 1


@emitted(tanh)
def emit_tanh(x: Number) -> Number:
    return emit_logistic(x * 2.0) * 2.0 - 1.0


def as_integer(number: Any) -> Any:
    """An integer of the same bits; those of two numbers compare as the numbers do."""
    raise NotImplementedError


def as_number(integer: Any, like: Any) -> Any:
    """The number, of the type of another, that `as_integer` made an integer of."""
    raise NotImplementedError


def _in_order(builder: Any, bits: Any) -> Any:
    """Bits of a number as an integer in the order of the numbers, or back: of negative ones all but the sign flip."""
    width = bits.type.width
    sign = builder.ashr(bits, ir.Constant(bits.type, width - 1))
    return builder.xor(bits, builder.and_(sign, ir.Constant(bits.type, 2 ** (width - 1) - 1)))


@type_callable(as_integer)
def _type_as_integer(context: Any) -> Callable[[Any], Any]:
    return {types.float32: types.int32, types.float64: types.int64}.get


@lower_builtin(as_integer, types.Float)
def _emit_as_integer(context: Any, builder: Any, signature: Any, values: Any) -> Any:
    return _in_order(builder, builder.bitcast(values[0], context.get_value_type(signature.return_type)))


@type_callable(as_number)
def _type_as_number(context: Any) -> Callable[[Any, Any], Any]:
    return lambda integer, like: like


@lower_builtin(as_number, types.Integer, types.Float)
def _emit_as_number(context: Any, builder: Any, signature: Any, values: Any) -> Any:
    kind = types.int32 if signature.return_type is types.float32 else types.int64
    integer = context.cast(builder, values[0], signature.args[0], kind)
    return builder.bitcast(_in_order(builder, integer), context.get_value_type(signature.return_type))


@vector_loop("max")
def largest(x: Number) -> Sequence[Number]:
    """largest(first, past, (), (numbers,)): the largest number, -inf where none is one."""
    return [x]
