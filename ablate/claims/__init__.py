"""What papers say, as data, and whether a study bears it out.

`figures` and `references` hold published numbers with their source; one file per paper (`wettig2023`, `devlin2019`, …)
holds its tables and claims; `registry` collects them; `contrast` says which comparisons a claim comes down to and
`verdicts` judges them: reproduced, contradicted, no effect, undecided, or not testable.
"""
