"""exp, log, logistic, tanh and maxima for compiled code: no branch and no call, so that LLVM makes vectors of a loop.

In float32 they are a polynomial, several times faster than the C library's one number at a time; in float64 they are
the library's own. Outside compiled code they are numpy's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types
from numba.extending import overload, register_jitable

from .compiled import cached as cached

CONTRACT = {"contract"}
"""Lets LLVM fuse a multiplication and an addition; anything more could hide a NaN."""
compiled = register_jitable(fastmath=CONTRACT, error_model="numpy")

_ONE, _TWO, _HALF = np.float32(1), np.float32(2), np.float32(0.5)
_LOWEST, _HIGHEST = np.float32(-80), np.float32(80)
_LOG2_E = np.float32(1.4426950408889634)
_LN2_HIGH, _LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)  # their sum is ln 2 to 2^-34
_EXPONENT_BITS, _BIAS = np.int32(23), np.int32(127)
_C2, _C3, _C4, _C5, _C6 = (np.float32(1 / math.factorial(n)) for n in range(2, 7))
_ROOT_HALF_BITS, _LN2 = np.float32(math.sqrt(0.5)).view(np.int32), np.float32(math.log(2))
_L0, _L1, _L2, _L3, _L4, _L5, _L6, _L7, _L8 = (
    np.polynomial.Chebyshev.interpolate(  # log(1 + f) / f to 3e-8, between the roots of a half and of two
        lambda f: np.log1p(f) / np.where(f == 0, 1, f), 8, domain=[math.sqrt(0.5) - 1, math.sqrt(2) - 1]
    )
    .convert(kind=np.polynomial.Polynomial)
    .coef.astype(np.float32)
)


def exp(x: Any) -> Any:
    """e^x, with x clamped to [-80, 80]; in float32 to 2e-7 relative: 2^n from the exponent bits times a polynomial."""
    return np.exp(np.clip(x, _LOWEST, _HIGHEST))


@overload(exp, inline="always")
def _exp(x: Any) -> Callable[..., Any]:
    def series(x: Any) -> Any:
        x = min(max(x, _LOWEST), _HIGHEST)
        n = np.floor(x * _LOG2_E + _HALF)
        r = x - n * _LN2_HIGH - n * _LN2_LOW
        total = ((((_C6 * r + _C5) * r + _C4) * r + _C3) * r + _C2) * r * r + r + _ONE
        return total * np.int32((np.int32(n) + _BIAS) << _EXPONENT_BITS).view(np.float32)

    def library(x: Any) -> Any:
        return math.exp(min(max(x, -80.0), 80.0))

    return series if x is types.float32 else library


def log(x: Any) -> Any:
    """The natural logarithm of a number that is not negative.

    In float32 to 2e-7 of the larger of 1 and itself: a multiple of log 2 from the exponent bits, and a polynomial.
    Numbers below the smallest normal one, 0 among them, have about -88.
    """
    return np.log(x)


@overload(log, inline="always")
def _log(x: Any) -> Callable[..., Any]:
    def series(x: Any) -> Any:
        bits = np.float32(x).view(np.int32)
        n = np.int32(np.int32(bits - _ROOT_HALF_BITS) >> _EXPONENT_BITS)
        f = np.int32(bits - np.int32(n << _EXPONENT_BITS)).view(np.float32) - _ONE
        total = (((((((_L8 * f + _L7) * f + _L6) * f + _L5) * f + _L4) * f + _L3) * f + _L2) * f + _L1) * f + _L0
        return total * f + np.float32(n) * _LN2 + (x - x)  # not a number stays none

    def library(x: Any) -> Any:
        return math.log(x)

    return series if x is types.float32 else library


@compiled
def logistic(x: Any) -> Any:
    """1 / (1 + e^-x)."""
    return _ONE / (_ONE + exp(-x))


@compiled
def tanh(x: Any) -> Any:
    """2 logistic(2 x) - 1."""
    return _TWO * logistic(_TWO * x) - _ONE


def as_integer(number: Any) -> Any:
    """An integer of the same bits; those of two numbers compare as the numbers do."""
    raise NotImplementedError


def as_number(integer: Any) -> Any:
    """The number that `as_integer` made an integer of."""
    raise NotImplementedError


@overload(as_integer)
def _as_integer(number: Any) -> Callable[..., Any]:
    def single(number: Any) -> Any:
        bits = np.float32(number).view(np.int32)
        return np.int32(bits ^ ((bits >> np.int32(31)) & np.int32(0x7FFFFFFF)))

    def double(number: Any) -> Any:
        bits = np.float64(number).view(np.int64)
        return bits ^ ((bits >> 63) & 0x7FFFFFFFFFFFFFFF)

    return single if number is types.float32 else double


@overload(as_number)
def _as_number(integer: Any) -> Callable[..., Any]:
    def single(integer: Any) -> Any:
        return np.int32(integer ^ ((integer >> np.int32(31)) & np.int32(0x7FFFFFFF))).view(np.float32)

    def double(integer: Any) -> Any:
        return np.int64(integer ^ ((integer >> 63) & 0x7FFFFFFFFFFFFFFF)).view(np.float64)

    return single if integer is types.int32 else double


@compiled
def largest(logits_V: Any) -> Any:
    """The maximum. LLVM compares numbers in vectors only where it may forget about NaN, but integers always."""
    top = as_integer(logits_V[0])
    for v in range(logits_V.size):
        top = max(top, as_integer(logits_V[v]))
    return as_number(top)
