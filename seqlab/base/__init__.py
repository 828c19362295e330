"""What every room uses: errors, files that are never half-written, progress, interrupts, cores, lazy names."""
