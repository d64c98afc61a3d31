"""Collators: pure numpy functions from token sequences and noise to inputs and targets, one corruption a file.

Shape letters: B example, C row (an example, or one of its copies), T position.
"""
