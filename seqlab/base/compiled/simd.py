"""Vector instructions for the training kernels, written as numba intrinsics that emit LLVM vector code.

Numba vectorises simple loops, but keeps no row of a matrix in registers across a loop and sums the lanes of every
dot product on their own. These primitives do: they are what makes a window's update run at half the speed of
a large matrix product. Widths (`dim`, `count`, `lanes`) are compile-time constants; matrices are C-contiguous
float32 with `dim` columns (a multiple of `lanes`), best aligned to 64 bytes.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Callable, Sequence
from typing import Any

import numba.core.config as numba_config
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import types
from numba.core.codegen import get_host_cpu_features
from numba.extending import intrinsic

FLOAT, INT32, INT64 = ir.FloatType(), ir.IntType(32), ir.IntType(64)
CONTRACT = ("contract",)
"""Lets LLVM fuse a multiplication and an addition."""
ACCUMULATORS = 8
"""Vector registers of a row that `add_rows` holds across its loop."""
CACHE_LINE = 64

AVX512_NAMES = re.compile("avx512|x86-64-v4|lake|rapids|^kn[lm]$|znver[4-9]")
"""LLVM's names of processors with AVX-512, from https://github.com/llvm/llvm-project (X86TargetParser.cpp)."""
WITHOUT_AVX512 = re.compile("alderlake|raptorlake|meteorlake|arrowlake|lunarlake|pantherlake")
AVX2_NAMES = re.compile("avx2|x86-64-v[34]|haswell|broadwell|lake|rapids|znver")
"""LLVM's names of processors with AVX2."""


def is_arm(machine: str) -> bool:
    """Whether `platform.machine()` is a 64-bit ARM, which always has NEON."""
    return machine.lower() in ("arm64", "aarch64")


def vector_lanes(machine: str, cpu: str | None, features: str) -> int:
    """Choose how many floats a vector of the kernels holds, so that a loop's sums fit the machine's registers.

    | CPU | registers | lanes | a vector is |
    | --- | --- | --- | --- |
    | x86 with AVX-512 | 32 x 16 floats | 16 | one register |
    | x86 with AVX | 16 x 8 floats | 8 | one register |
    | ARM, as Apple silicon | 32 x 4 floats | 8 | two registers, which hide the latency of additions better than one |
    | any other | often 16 x 4 floats | 4 | one register |

    One step wider and the sums of `multiply_tile` no longer fit: compiled for Apple's M1 or for AVX2 with 16 lanes,
    or for plain x86 with 8, it stores and reloads them 50 to 70 times in a loop; with the lanes above never.

    Args:
        machine: `platform.machine()`.
        cpu: LLVM's name of the CPU that NUMBA_CPU_NAME asks for, None for this one.
        features: LLVM's features, as "+avx2,-avx512f".
    """
    if is_arm(machine):
        return 8
    named_without = cpu is not None and (not AVX512_NAMES.search(cpu) or bool(WITHOUT_AVX512.search(cpu)))
    present = set(features.split(","))
    if "+avx512f" in present and not named_without:
        return 16
    return 8 if "+avx" in present or "+avx2" in present else 4


def _features() -> str:
    """The features that numba compiles for."""
    chosen = numba_config.CPU_FEATURES  # type: ignore[attr-defined]
    return get_host_cpu_features() if chosen is None else chosen


LANES = vector_lanes(platform.machine(), numba_config.CPU_NAME, _features())  # type: ignore[attr-defined]
"""Floats of a vector in the kernels of this process; follows NUMBA_CPU_NAME and NUMBA_CPU_FEATURES."""


def has_feature(name: str) -> bool:
    """Whether numba compiles for a feature of x86, such as "avx2"; a CPU that is only named has AVX2 at most."""
    named = numba_config.CPU_NAME  # type: ignore[attr-defined]
    if named is not None:
        return name == "avx2" and bool(AVX2_NAMES.search(named))
    return f"+{name}" in _features().split(",")


STREAMS = min(LANES, 8)
"""Rows of a matrix that a product with a vector reads side by side, and sums of a vector there: with AVX-512, 16 take
1.3 times as long, fewer than 8 the same."""
PAIRED = int(has_feature("avx2"))
"""1 where products of neighbouring 16-bit integers are added in one instruction."""
WORDS = 16 if LANES == 16 and has_feature("avx512bw") else 8
"""32-bit integers of a vector in the kernels: 512 bits or 256."""

Codegen = Callable[[Any, Any, Any, Any], Any]


class Emitter:
    """Emits float vectors of `lanes` lanes at the position of an LLVM builder."""

    def __init__(self, context: Any, builder: Any, lanes: int):
        self.context, self.builder, self.lanes = context, builder, lanes
        self.vector = ir.VectorType(FLOAT, lanes)
        self.zero = ir.Constant(self.vector, None)

    def data(self, array_type: Any, array: Any) -> Any:
        return self.context.make_array(array_type)(self.context, self.builder, array).data

    def row(self, array_type: Any, array: Any, index: Any, width: int) -> Any:
        offset = self.builder.mul(index, ir.Constant(INT64, width))
        return self.builder.gep(self.data(array_type, array), [offset])

    def _at(self, pointer: Any, offset: int) -> Any:
        moved = self.builder.gep(pointer, [ir.Constant(INT64, offset)])
        return self.builder.bitcast(moved, self.vector.as_pointer())

    def load(self, pointer: Any, offset: int) -> Any:
        return self.builder.load(self._at(pointer, offset), align=4)

    def store(self, value: Any, pointer: Any, offset: int) -> None:
        self.builder.store(value, self._at(pointer, offset), align=4)

    def splat(self, scalar: Any) -> Any:
        undefined = ir.Constant(self.vector, ir.Undefined)
        first = self.builder.insert_element(undefined, scalar, ir.Constant(INT32, 0))
        return self.shuffle(first, undefined, [0] * self.lanes)

    def shuffle(self, a: Any, b: Any, lanes: Sequence[int]) -> Any:
        mask = ir.Constant(ir.VectorType(INT32, self.lanes), list(lanes))
        return self.builder.shuffle_vector(a, b, mask)

    def multiply_add(self, a: Any, b: Any, c: Any) -> Any:
        return self.builder.fadd(self.builder.fmul(a, b, flags=CONTRACT), c, flags=CONTRACT)

    def loop(
        self, times: Any, start: Sequence[Any], body: Callable[[Any, list[Any]], list[Any]], once: bool = False
    ) -> list[Any]:
        """Repeat `body(k, carried)` for k = 0 .. times - 1 (at least once); what it returns is passed to the next.

        once: LLVM is not to write the body several times, as it does with most loops, nor to make vectors of it.
        """
        builder, before = self.builder, self.builder.block
        inside, after = builder.append_basic_block("loop"), builder.append_basic_block("loop.end")
        builder.branch(inside)
        builder.position_at_end(inside)
        k = builder.phi(INT64)
        carried = [builder.phi(value.type) for value in start]
        result = body(k, carried)
        following = builder.add(k, ir.Constant(INT64, 1))
        last = builder.block
        branch = builder.cbranch(builder.icmp_signed("<", following, times), inside, after)
        if once:
            branch.set_metadata("llvm.loop", _loop_written_once(builder.module))
        k.add_incoming(ir.Constant(INT64, 0), before)
        k.add_incoming(following, last)
        for phi, first, value in zip(carried, start, result, strict=True):
            phi.add_incoming(first, before)
            phi.add_incoming(value, last)
        builder.position_at_end(after)
        return result

    def lane_sums(self, vectors: Sequence[Any]) -> Any:
        """One vector whose lane i is the sum over the lanes of vectors[i], for `lanes` vectors.

        Halving: each step adds the two halves of every block of two vectors and packs them into one vector,
        lanes - 1 additions in all instead of lanes * log2(lanes).
        """
        half = self.lanes
        vectors, whole = list(vectors), isinstance(vectors[0].type.element, ir.IntType)
        while len(vectors) > 1:
            half //= 2
            lower: list[int] = []
            upper: list[int] = []
            for block in range(0, self.lanes, 2 * half):
                for vector in (0, self.lanes):
                    lower += range(vector + block, vector + block + half)
                    upper += range(vector + block + half, vector + block + 2 * half)
            pairs = zip(vectors[: len(vectors) // 2], vectors[len(vectors) // 2 :], strict=True)
            halves = [(self.shuffle(a, b, lower), self.shuffle(a, b, upper)) for a, b in pairs]
            vectors = [self.builder.add(*two) if whole else self.builder.fadd(*two, flags=CONTRACT) for two in halves]
        return vectors[0]


def _loop_written_once(module: Any) -> Any:
    """What LLVM is told of a loop (https://llvm.org/docs/LangRef.html#llvm-loop): by its first entry, itself, a loop is
    known from others."""
    no = ir.Constant(ir.IntType(1), 0)
    entries = [
        module.add_metadata([ir.MetaDataString(module, "llvm.loop.unroll.disable")]),
        module.add_metadata([ir.MetaDataString(module, "llvm.loop.vectorize.enable"), no]),
    ]
    node = ir.MDValue(module, [], name=str(len(module.metadata)))
    node.operands = (node, *entries)
    return node


def padded(count: int, lanes: int = LANES) -> int:
    """`count` rounded up to whole vectors."""
    return -(-count // lanes) * lanes


def primitive(function: Callable[..., tuple[Any, Codegen]]) -> Any:
    """A numba intrinsic whose constant arguments arrive as literal types."""
    return intrinsic(prefer_literal=True)(function)


@primitive
def dot_rows(
    typing: Any, scores: Any, i: Any, x: Any, r: Any, rows: Any, dim: Any, count: Any, lanes: Any
) -> tuple[Any, Codegen]:
    """dot_rows(scores, i, x, r, rows, dim, count, lanes): scores[i, :count] = rows[:count] @ x[r].

    scores has padded(count) columns; those beyond count become 0.
    """
    signature = types.void(scores, i, x, r, rows, dim, count, lanes)

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        kinds = signature.args
        width, total, lane_count = (kind.literal_value for kind in kinds[5:])
        simd = Emitter(context, builder, lane_count)
        out = simd.row(kinds[0], values[0], values[1], padded(total, lane_count))
        vector = simd.row(kinds[2], values[2], values[3], width)
        matrix = simd.data(kinds[4], values[4])

        def group(number: Any, rows: int) -> None:
            first = builder.mul(number, ir.Constant(INT64, lane_count))
            block = builder.gep(matrix, [builder.mul(first, ir.Constant(INT64, width))])
            sums = _emit_dots(simd, vector, block, rows, width)
            simd.store(sums, builder.gep(out, [first]), 0)

        def full_group(number: Any, carried: list[Any]) -> list[Any]:
            group(number, lane_count)
            return carried

        full = ir.Constant(INT64, total // lane_count)
        if total >= lane_count:
            simd.loop(full, [], full_group)
        if total % lane_count:
            group(full, total % lane_count)
        return context.get_dummy_value()

    return signature, emit


def _emit_dots(simd: Emitter, vector: Any, matrix: Any, rows: int, width: int) -> Any:
    """One vector: the dot products of `vector` with the first `rows` (at most `lanes`) rows of a matrix."""

    def column(number: Any, sums: list[Any]) -> list[Any]:
        offset = simd.builder.mul(number, ir.Constant(INT64, simd.lanes))
        part = simd.load(simd.builder.gep(vector, [offset]), 0)
        here = simd.builder.gep(matrix, [offset])
        return [simd.multiply_add(part, simd.load(here, row * width), total) for row, total in enumerate(sums)]

    sums = simd.loop(ir.Constant(INT64, width // simd.lanes), [simd.zero] * rows, column)
    return simd.lane_sums(sums + [simd.zero] * (simd.lanes - rows))


@primitive
def add_rows(
    typing: Any,
    target: Any,
    r: Any,
    weights: Any,
    at: Any,
    step: Any,
    rows: Any,
    first: Any,
    gap: Any,
    n: Any,
    dim: Any,
    lanes: Any,
) -> tuple[Any, Codegen]:
    """add_rows(target, r, weights, at, step, rows, first, gap, n, dim, lanes): target[r] += sum_k w_k x_k over k < n.

    w_k is weights.flat[at + k * step], so a row or a column of a matrix of weights. x_k are n successive rows from
    rows[first] on that leave one out: rows[first + k], after the first `gap` of them rows[first + k + 1]. n is at
    least 1.
    """
    signature = types.void(target, r, weights, at, step, rows, first, gap, n, dim, lanes)

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        kinds = signature.args
        width, lane_count = (kind.literal_value for kind in kinds[9:])
        simd = Emitter(context, builder, lane_count)
        out = simd.row(kinds[0], values[0], values[1], width)
        factors = builder.gep(simd.data(kinds[2], values[2]), [values[3]])
        matrix = simd.row(kinds[5], values[5], values[6], width)
        columns = range(0, width, lane_count)
        for start in range(0, len(columns), ACCUMULATORS):
            block = columns[start : start + ACCUMULATORS]

            def add_row(k: Any, sums: list[Any], block: Sequence[int] = block) -> list[Any]:
                factor = simd.splat(builder.load(builder.gep(factors, [builder.mul(k, values[4])])))
                skipped = builder.zext(builder.icmp_signed(">=", k, values[7]), INT64)
                place = builder.mul(builder.add(k, skipped), ir.Constant(INT64, width))
                row = builder.gep(matrix, [place])
                return [
                    simd.multiply_add(factor, simd.load(row, column), total)
                    for column, total in zip(block, sums, strict=True)
                ]

            sums = simd.loop(values[8], [simd.load(out, column) for column in block], add_row)
            for column, value in zip(block, sums, strict=True):
                simd.store(value, out, column)
        return context.get_dummy_value()

    return signature, emit


@primitive
def mean_of_rows(
    typing: Any, target: Any, i: Any, source: Any, index: Any, first: Any, n: Any, dim: Any, lanes: Any
) -> tuple[Any, Codegen]:
    """mean_of_rows(target, i, source, index, first, n, dim, lanes): target[i] = mean of n rows of source.

    They are source[index[first : first + n]]; index is int32, n at least 1.
    """
    signature = types.void(target, i, source, index, first, n, dim, lanes)

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        kinds = signature.args
        width, lane_count = (kind.literal_value for kind in kinds[6:])
        simd = Emitter(context, builder, lane_count)
        out = simd.row(kinds[0], values[0], values[1], width)
        numbers = builder.gep(simd.data(kinds[3], values[3]), [values[4]])
        share = simd.splat(builder.fdiv(ir.Constant(FLOAT, 1.0), builder.sitofp(values[5], FLOAT)))
        columns = range(0, width, lane_count)
        for start in range(0, len(columns), ACCUMULATORS):
            block = columns[start : start + ACCUMULATORS]

            def add_row(k: Any, sums: list[Any], block: Sequence[int] = block) -> list[Any]:
                number = builder.sext(builder.load(builder.gep(numbers, [k])), INT64)
                row = simd.row(kinds[2], values[2], number, width)
                return [
                    builder.fadd(total, simd.load(row, column), flags=CONTRACT)
                    for column, total in zip(block, sums, strict=True)
                ]

            sums = simd.loop(values[5], [simd.zero for _ in block], add_row)
            for column, value in zip(block, sums, strict=True):
                simd.store(builder.fmul(value, share), out, column)
        return context.get_dummy_value()

    return signature, emit


@primitive
def subtract_row(typing: Any, target: Any, i: Any, a: Any, b: Any, dim: Any, lanes: Any) -> tuple[Any, Codegen]:
    """subtract_row(target, i, a, b, dim, lanes): target[i] = a[i] - b[i]."""
    signature = types.void(target, i, a, b, dim, lanes)

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        kinds = signature.args
        width, lane_count = (kind.literal_value for kind in kinds[4:])
        simd = Emitter(context, builder, lane_count)
        out, left, right = (simd.row(kinds[k], values[k], values[1], width) for k in (0, 2, 3))
        for column in range(0, width, lane_count):
            simd.store(builder.fsub(simd.load(left, column), simd.load(right, column)), out, column)
        return context.get_dummy_value()

    return signature, emit


@primitive
def copy_row(typing: Any, target: Any, i: Any, source: Any, r: Any, dim: Any, lanes: Any) -> tuple[Any, Codegen]:
    """copy_row(target, i, source, r, dim, lanes): target[i] = source[r]."""
    signature = types.void(target, i, source, r, dim, lanes)

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        kinds = signature.args
        width, lane_count = (kind.literal_value for kind in kinds[4:])
        simd = Emitter(context, builder, lane_count)
        out = simd.row(kinds[0], values[0], values[1], width)
        row = simd.row(kinds[2], values[2], values[3], width)
        for column in range(0, width, lane_count):
            simd.store(simd.load(row, column), out, column)
        return context.get_dummy_value()

    return signature, emit


@primitive
def prefetch_row(typing: Any, table: Any, r: Any, dim: Any) -> tuple[Any, Codegen]:
    """prefetch_row(table, r, dim): ask for row r, about to be read and written, to be brought into the cache."""
    signature = types.void(table, r, dim)

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        width = signature.args[2].literal_value
        row = Emitter(context, builder, LANES).row(signature.args[0], values[0], values[1], width)
        byte = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [byte, INT32, INT32, INT32])
        name = "llvm.prefetch.p0"
        function = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
        for_writing, keep, data = (ir.Constant(INT32, value) for value in (1, 3, 1))
        for column in range(0, width, CACHE_LINE // 4):
            place = builder.gep(row, [ir.Constant(INT64, column)])
            builder.call(function, [builder.bitcast(place, byte), for_writing, keep, data])
        return context.get_dummy_value()

    return signature, emit


@primitive
def multiply_tile(
    typing: Any, out: Any, left: Any, t: Any, right: Any, b: Any, dim: Any, rows: Any, lanes: Any
) -> tuple[Any, Codegen]:
    """multiply_tile(out, left, t, right, b, dim, rows, lanes): out = left[t].T @ right[b], accumulated in registers.

    out is (rows, 2 lanes), left (T, dim, rows), right (B, dim, 2 lanes); dim is at least 1 and need not be a constant.
    """
    signature = types.void(out, left, types.int64, right, types.int64, types.int64, rows, lanes)

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        kinds, dim = signature.args, values[5]
        count, lane_count = (kind.literal_value for kind in kinds[6:])
        simd, pair = Emitter(context, builder, lane_count), 2 * lane_count
        factors = simd.row(kinds[1], values[1], builder.mul(values[2], dim), count)
        vectors = simd.row(kinds[3], values[3], builder.mul(values[4], dim), pair)

        def add_products(d: Any, sums: list[Any]) -> list[Any]:
            here = builder.gep(vectors, [builder.mul(d, ir.Constant(INT64, pair))])
            both = [simd.load(here, offset) for offset in (0, lane_count)]
            place = builder.gep(factors, [builder.mul(d, ir.Constant(INT64, count))])
            found = []
            for row in range(count):
                factor = simd.splat(builder.load(builder.gep(place, [ir.Constant(INT64, row)])))
                found += [
                    simd.multiply_add(factor, vector, total)
                    for vector, total in zip(both, sums[2 * row : 2 * row + 2], strict=True)
                ]
            return found

        target = simd.data(kinds[0], values[0])
        for number, total in enumerate(simd.loop(dim, [simd.zero] * 2 * count, add_products)):
            simd.store(total, target, number * lane_count)
        return context.get_dummy_value()

    return signature, emit


@primitive
def multiply_rows(
    typing: Any, out: Any, matrix: Any, n: Any, right: Any, b: Any, dim: Any, rows: Any, lanes: Any
) -> tuple[Any, Codegen]:
    """multiply_rows(out, matrix, n, right, b, dim, rows, lanes): out = matrix[n : n + rows] @ right[b], in registers.

    out is (rows, 2 lanes), matrix (N, dim), right (B, dim, 2 lanes); dim is at least 1 and need not be a constant.
    """
    signature = types.void(out, matrix, types.int64, right, types.int64, types.int64, rows, lanes)

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        kinds, dim = signature.args, values[5]
        count, lane_count = (kind.literal_value for kind in kinds[6:])
        simd, pair = Emitter(context, builder, lane_count), 2 * lane_count
        first = builder.gep(simd.data(kinds[1], values[1]), [builder.mul(values[2], dim)])
        starts = [builder.gep(first, [builder.mul(dim, ir.Constant(INT64, row))]) for row in range(count)]
        vectors = simd.row(kinds[3], values[3], builder.mul(values[4], dim), pair)

        def add_products(d: Any, sums: list[Any]) -> list[Any]:
            here = builder.gep(vectors, [builder.mul(d, ir.Constant(INT64, pair))])
            both = [simd.load(here, offset) for offset in (0, lane_count)]
            found = []
            for row, start in enumerate(starts):
                factor = simd.splat(builder.load(builder.gep(start, [d])))
                found += [
                    simd.multiply_add(factor, vector, total)
                    for vector, total in zip(both, sums[2 * row : 2 * row + 2], strict=True)
                ]
            return found

        target = simd.data(kinds[0], values[0])
        for number, total in enumerate(simd.loop(dim, [simd.zero] * 2 * count, add_products)):
            simd.store(total, target, number * lane_count)
        return context.get_dummy_value()

    return signature, emit


@primitive
def any_above(typing: Any, scores: Any, i: Any, limit: Any, lanes: Any) -> tuple[Any, Codegen]:
    """any_above(scores, i, limit, lanes): whether a number of scores[i], two vectors long, is above a float32."""
    signature = types.boolean(scores, types.int64, types.float32, lanes)

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        kinds = signature.args
        lane_count = kinds[3].literal_value
        simd = Emitter(context, builder, lane_count)
        row, limits = simd.row(kinds[0], values[0], values[1], 2 * lane_count), simd.splat(values[2])
        first, second = (builder.fcmp_ordered(">", simd.load(row, at), limits) for at in (0, lane_count))
        bits = builder.bitcast(builder.or_(first, second), ir.IntType(lane_count))
        return builder.icmp_unsigned("!=", bits, ir.Constant(ir.IntType(lane_count), 0))

    return signature, emit
