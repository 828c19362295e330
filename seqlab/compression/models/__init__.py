"""Compressing language models."""

from .compress import compress_model
from .goals import LADDER, compress_to
from .result import CompressedModel, CompressionStudy
from .sweep import SWEEP, sweep_model

__all__ = ["LADDER", "SWEEP", "CompressedModel", "CompressionStudy", "compress_model", "compress_to", "sweep_model"]
