"""Tuning: the fastest right backend for each call, measured on request and written to a file.

| file | |
| --- | --- |
| calls | the attention calls of a study's run |
| workload | inputs for a call, and how far a backend is from float64 on them |
| tune, choices | the measurement, and its file |
"""
