"""Plain `torch.nn` modules that every objective builds on; nothing here knows an objective, a corpus or a trainer."""
