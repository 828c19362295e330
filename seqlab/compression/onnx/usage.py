"""The page next to an exported network: the loop that writes with it, in Python and JavaScript."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...text import Tokenizer

PAGE = """# {onnx}

A language model over {types:,} tokens ({kind}), in {numbers}. Input `tokens` (batch, time) and the state; output
`log_probs` (batch, time, {types}) of each next token and the new state. {note}
The strings of `{tokens}` hold one character for each byte of UTF-8.

```python
import json, numpy, onnxruntime

network, about = onnxruntime.InferenceSession("{onnx}"), json.load(open("{tokens}"))
state = {{name: numpy.zeros((1, width), "float32") for name, width in about["state"].items()}}
id, text, random = about["start"], [], numpy.random.default_rng(1)
for _ in range(200):
    log_probs, *new = network.run(None, {{"tokens": [[id]], **state}})
    state, weights = dict(zip(state, new)), numpy.exp(log_probs[0, -1].astype("float64") / 0.8)  # temperature
    id = int(random.choice(len(weights), p=weights / weights.sum()))
    text.append(about["tokens"][id])
print(about["join"].join(text).encode("latin-1").decode("utf-8", "replace"))
```

```js
import * as ort from "onnxruntime-node"; // in a page: "onnxruntime-web", and fetch the JSON file
import {{ readFileSync }} from "node:fs";

const network = await ort.InferenceSession.create("{onnx}"), about = JSON.parse(readFileSync("{tokens}"));
const names = Object.entries(about.state), text = [];
let id = about.start, state = Object.fromEntries(
  names.map(([name, width]) => [name, new ort.Tensor("float32", new Float32Array(width), [1, width])]));
for (let step = 0; step < 200; step++) {{
  const tokens = new ort.Tensor("int64", BigInt64Array.of(BigInt(id)), [1, 1]);
  const out = await network.run({{ tokens, ...state }});
  state = Object.fromEntries(names.map(([name]) => [name, out[`new_${{name}}`]]));
  const weights = Array.from(out.log_probs.data, (value) => Math.exp(value / 0.8)); // temperature
  let left = Math.random() * weights.reduce((sum, weight) => sum + weight);
  id = weights.findIndex((weight) => (left -= weight) < 0);
  text.push(about.tokens[id]);
}}
console.log(new TextDecoder().decode(Uint8Array.from(text.join(about.join), (one) => one.charCodeAt(0))));
```
"""


def usage(onnx: str, tokens: str, tokenizer: Tokenizer, int8: bool, counts: bool) -> str:
    """The page for files of these names.

    Args:
        onnx: name of the network's file.
        tokens: name of the file of tokens.
        tokenizer: of the run.
        int8: whether matrices are int8.
        counts: whether the run has counts beside its network.
    """
    note = (
        "The run predicts with the counts of its training text as well, which this file does not hold."
        if counts
        else "It is the run's network."
    )
    return PAGE.format(
        onnx=onnx,
        tokens=tokens,
        types=len(tokenizer.vocab),
        kind=tokenizer.kind,
        numbers="int8" if int8 else "float32",
        note=note,
    )
