"""Prompt files into requests: templates, variations, personas, focus, passages."""
