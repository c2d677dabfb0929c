"""What a model is made of, shown whole (audit), and whether all of that is still so (verify)."""
