"""What the compiled code of several rooms is made of: `simd`, vector instructions, and `cached`, where it is kept."""

import logging

if logging.getLogger("numba").level == logging.NOTSET:  # at DEBUG it tells thousands of lines of every kernel
    logging.getLogger("numba").setLevel(logging.INFO)

from . import cached as cached
