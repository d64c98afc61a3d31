"""Text in: corpora, their splits, a tokenizer trained on the training split, and windows as a pure function of (seed, i)."""
