"""What trains word vectors, and which kernel when.

| engine | kernel | when |
| --- | --- | --- |
| cpu | `compiled/kernels.py`: one loop for every width, number of noise words, loss, skip-gram or CBOW | always without CUDA; with it, unless torch wins a trial of two seconds (`training/trial.py`) |
| cpu | `base/compiled/simd.py`: vectors of 16 floats with AVX-512, else of 8 | by the CPU, when the loop is compiled |
| torch | `torch/engine.py`: batches of windows, a bounded step for every row | engine torch, a device other than the CPU, or the full softmax, which the compiled loops do not have |
| torch | `torch/rows.py`: a row of its own for every word, or the mean of a word's parts | without or with n-grams |

`losses.py` is the one table of losses. Both engines do the same updates; tests compare each with the formulas in float64.
Finished vectors are searched by a compiled loop of their own for hundreds of questions: `queries/nearest.py`.
"""  # noqa: E501
