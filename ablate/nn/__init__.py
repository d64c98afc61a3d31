"""Plain `torch.nn` modules shared by the objectives; they know no objective, corpus or trainer."""
