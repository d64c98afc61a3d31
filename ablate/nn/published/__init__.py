"""The transformers of the papers, each as published and weight-compatible with Hugging Face; one architecture a file."""
