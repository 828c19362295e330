"""What the compiled code of several rooms is made of: `simd`, vector instructions, and `cached`, where it is kept."""

from . import cached as cached
