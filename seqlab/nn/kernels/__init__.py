"""Recurrences over whole sequences and their gradients, on the CPU; a GPU takes torch's kernels or the last column.

Which kernel when (training means with gradients; one token of a few texts without gradients, as in generation, is one
compiled step of the whole model where its cells have one, see `cells/stack.py`, else `torch.lstm_cell` and the like, or
a readable step whose products `affine` makes):

| cell | float32 training | bfloat16 training | elsewhere (GPU, zoneout on a GPU) |
| --- | --- | --- | --- |
| rnn-tanh, rnn-relu | torch's fused kernel | none: float32 | torch's fused kernel |
| rnn-leaky, rnn-sigmoid | one product a step, `cells/activation.py` | none: float32 | the same |
| lstm | torch's fused kernel | the same below 600 units (1 thread: 400), else `lstm.LSTMSequence` | torch's |
| lstm with zoneout | `lstm.LSTMSequence`: torch has no zoneout | `lstm.LSTMSequence` | `lstm.unrolled` |
| lstm-layernorm | `lstm.LayerNormSequence` | the same | `lstm.unrolled` |
| mogrifier | `lstm.MogrifierSequence` | the same | `lstm.unrolled` |
| gru | torch's fused kernel | `gru.GRUSequence`: torch has none in bfloat16 | torch's fused kernel |
| mingru, minlstm, qrnn, sru | one product, then `sweeps.sweep` | the same in bfloat16 | `sweeps.linear_recurrence` |

`linear_recurrence`, log2 T parallel rounds, also reads short prompts on the CPU (fewer than 1,024 positions without
gradients): it is done before numba would be loaded. `lstm_kernels`, `gru_kernels` and `sweep_kernels` are the compiled
single steps, `affine_kernels` the products of few and some rows; they import numba, so they are imported on first use.
"""
