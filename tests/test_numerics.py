"""exp, log, logistic and tanh of compiled code against the float64 library, and the one device resolver."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from seqlab.base.compiled.pointers import pointer
from seqlab.base.devices import resolve_device
from seqlab.base.errors import InputError
from seqlab.base.numerics import exp, largest, log, logistic, tanh


@njit
def each(x_N):
    out_3N = np.empty((3, x_N.size), x_N.dtype)
    for i in range(x_N.size):
        out_3N[0, i], out_3N[1, i], out_3N[2, i] = exp(x_N[i]), logistic(x_N[i]), tanh(x_N[i])
    return out_3N


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 3e-7), (np.float64, 1e-15)])
def test_compiled_functions_agree_with_the_library(dtype, tolerance):
    x_N = np.linspace(-30, 30, 10_001).astype(dtype)
    exact_N = x_N.astype(np.float64)
    exps_N, logistics_N, tanhs_N = each(x_N)
    np.testing.assert_allclose(exps_N, np.exp(exact_N), rtol=tolerance)
    np.testing.assert_allclose(logistics_N, 1 / (1 + np.exp(-exact_N)), rtol=2 * tolerance)
    np.testing.assert_allclose(tanhs_N, np.tanh(exact_N), atol=2 * tolerance)


def test_large_numbers_are_clamped_and_python_agrees():
    x_N = np.float32([-1e9, -80, 80, 1e9])
    np.testing.assert_allclose(each(x_N)[0], np.exp([-80.0, -80, 80, 80]), rtol=1e-6)
    np.testing.assert_allclose(exp(x_N), np.exp([-80.0, -80, 80, 80]), rtol=1e-5)


@njit
def logs(x_N):
    out_N = np.empty_like(x_N)
    for i in range(x_N.size):
        out_N[i] = log(x_N[i])
    return out_N


@njit
def largest_of(address, first, past):
    return largest(first, past, (), (pointer(address, "float32"),))


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 1.2e-7), (np.float64, 1e-15)])
def test_logarithms_agree_with_the_library(dtype, tolerance):
    x_N = np.concatenate([np.exp(np.linspace(-87, 88, 10_001)), np.linspace(0.5, 2, 10_001), [1]]).astype(dtype)
    exact_N = np.log(x_N.astype(np.float64))
    found_N = logs(x_N)
    assert (np.abs(found_N - exact_N) <= tolerance * np.maximum(1, np.abs(exact_N))).all()
    near_N = np.abs(exact_N) < 0.5
    np.testing.assert_allclose(found_N[near_N], exact_N[near_N], rtol=3 * tolerance)
    assert found_N[-1] == 0
    assert log(np.float32(1)) == 0


def test_logarithms_of_next_to_nothing_and_of_no_number():
    found_N = logs(np.float32([0, 1e-42, np.nan]))
    np.testing.assert_allclose(found_N[:2], -88, atol=0.1)
    assert np.isnan(found_N[2])


def test_the_largest_is_found_wherever_it_is():
    x_N = np.random.default_rng(1).normal(size=70).astype(np.float32)
    for first in (0, 1, 5):
        for past in range(first, 70):
            expected = x_N[first:past].max() if past > first else -np.inf
            assert largest_of(x_N.ctypes.data, first, past) == expected


def test_devices():
    assert resolve_device("cpu") == "cpu"
    assert resolve_device("auto") in ("cpu", "cuda")
    with pytest.raises(InputError, match="device 'tpu' is not available here; use auto, cpu or cuda"):
        resolve_device("tpu")
