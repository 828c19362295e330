"""The engine in torch, for GPUs and the full softmax."""
