"""What a report says of the attention core's speed; loaded by `ablate.report.compile`, and free of torch."""
