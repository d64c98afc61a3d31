"""The papers' transformers as published, weight-compatible with Hugging Face; one architecture a file."""
