"""Models built of cells and output layers."""

from .language_model import LanguageModel, ModelState

__all__ = ["LanguageModel", "ModelState"]
