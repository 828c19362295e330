"""What trains word vectors: compiled loops on the CPU, or torch. Both do the same updates."""
