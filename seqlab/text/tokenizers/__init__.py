"""The five kinds of tokenizer, what they share, and the table of them."""
