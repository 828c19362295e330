"""What the compiled code of several rooms is made of: `simd`, vector instructions."""
