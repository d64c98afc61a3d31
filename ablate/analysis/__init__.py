"""From records to what a table may claim: frames in, frames out, no torch.

The replicate is the seed, never the batch; arms are compared within seeds. Read in this order: `frames` (records to a
tidy table), `completeness` (which runs count), `intervals`, `means`, `paired`, `multiplicity`, `power`, `spending`
(inference at few seeds), then the views of a study: `distinguishable`, `effects`, `curves`, `budgets`, `pareto`.
"""
