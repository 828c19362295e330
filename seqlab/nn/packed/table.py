"""The table of forms: the one place where a form of a packed weight gets its name."""

from __future__ import annotations

from .base import PackedWeight
from .codebook import Codebook
from .factors import Factors
from .levels import Binary, Int4, Int8, Ternary
from .row_blocks import RowBlocks
from .sparse import Sparse

FORMS: dict[str, type[PackedWeight]] = {
    form.form: form for form in (Int8, Int4, Ternary, Binary, Codebook, Sparse, Factors, RowBlocks)
}
