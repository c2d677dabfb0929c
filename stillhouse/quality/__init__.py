"""What may be trained on: judging, curating, reviewing, splitting and validating rows."""
