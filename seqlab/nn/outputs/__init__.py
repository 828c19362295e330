"""Output layers, one file each, and the table of them.

Which one when, by the size of the vocabulary; evaluation and generation always use the exact distribution:

| softmax | use it for | what a step computes |
| --- | --- | --- |
| full | characters, bytes, small vocabularies | all logits, in chunks that stay in cache (`fused`) |
| sampled | words, on the CPU above all | the target and noise words shared by the batch (`sampled`, `noise`) |
| nce | words, where the model should normalise itself | the same words, as a logistic regression |
| adaptive | large vocabularies, exactly | frequent words, and a cluster of rare ones where a target is in it |
| mixture | the last few percent, at several times the cost | several softmaxes at each position |

Products take bfloat16 where the CPU multiplies it and the vocabulary has 512 types or more (`products_for`).
"""
