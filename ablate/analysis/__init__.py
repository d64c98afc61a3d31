"""Statistics of a study: data frames in, data frames out, without torch.

The replicate is the seed, never the batch, and arms are compared within seeds. A good order to read the modules:

- data: `frames` (records to a tidy table), `completeness` (which runs count)
- inference at few seeds: `intervals`, `means`, `paired`, `multiplicity`, `power`, `spending`, `sensitivity`
- views of a study: `distinguishable`, `effects`, `curves`, `budgets`, `pareto`
"""
