"""Timing: competitors in turn in one process (`interleaved`), and a training step against a bare loop (`training`)."""
