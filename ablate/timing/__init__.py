"""Timing: ratios measured side by side in one run, each beside its A/A floor.

| file | |
| --- | --- |
| training | a training step through the harness against a bare loop |
| interleaved, ceilings, kernels | how anything is timed, what the machine gives at best, what really ran |
| attention_grid, attention_calls | which calls of the attention core, and who competes in them |
| correctness, attention | checked and timed: a session |
| attention_ratios, attention_rows | what a session says, and how it is recorded |
| measure, attention_bench | a session as a study's run, and as a table for a terminal |
"""
