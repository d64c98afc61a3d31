"""The attention core, timed: competitors checked against float64, then timed in turn, each ratio beside its A/A floor.

| file | |
| --- | --- |
| grid, competitors | which calls are timed, and what competes in each |
| correctness, session | each competitor checked, then timed |
| ceilings, profiling | the machine's best rates, and which kernel ran |
| ratios, rates, rows | what a session says, and how it is recorded |
| timing, terminal | a session as a study's run, and as a table for a terminal |
| targets | targets and metrics of the study attention-core |
"""
