"""From a dataset to a student: base weights, captured distributions, losses, training."""
