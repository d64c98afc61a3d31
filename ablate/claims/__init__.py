"""Published claims as data, and the verdict of a study on each.

- `figures` and `references`: published numbers and their sources
- one file per paper (`wettig2023`, `devlin2019`, …): its tables and claims; `registry` collects them
- `contrast`: the comparisons that test a claim
- `verdicts`: reproduced, contradicted, no effect, undecided, or not testable; `wording` explains each in a sentence
"""
