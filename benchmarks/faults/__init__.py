"""The campaign against everything that seqlab writes and reads: `make faults`, or `python -m benchmarks.faults`."""
