"""Timing: ratios measured side by side in one run, each beside its A/A floor."""
