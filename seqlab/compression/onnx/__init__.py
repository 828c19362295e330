"""A language model's network as an ONNX file, for programs that have neither Python nor torch."""
