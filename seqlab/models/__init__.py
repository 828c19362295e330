"""Models built of cells and output layers."""

from .language_model import LanguageModel, ModelState, Reading, detached, forget

__all__ = ["LanguageModel", "ModelState", "Reading", "detached", "forget"]
