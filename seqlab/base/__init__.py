"""What every room uses: errors, files that are never half-written, progress, interrupts, cores, lazy names."""

from . import cores as cores  # reads how many cores there are before anything starts OpenMP
