"""One recorded step, run over batches of sequences."""
