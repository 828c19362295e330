"""Models built of cells and output layers."""

from .language_model import LanguageModel, Reading, detached, forget
from .network import ModelState, Network

__all__ = ["LanguageModel", "ModelState", "Network", "Reading", "detached", "forget"]
