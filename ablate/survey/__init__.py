"""What the project makes of a text before anything is trained: its shape, its scripts, its tokens, and which questions it can
answer. `ablate corpus PATH` prints it.
"""
