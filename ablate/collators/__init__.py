"""Sequences to inputs and targets: pure numpy functions of token arrays and noise, one corruption a file.

Shape letters: B example, C row (an example, or one of its copies), T position.
"""
