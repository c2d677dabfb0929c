"""What went into a model, written down so that it can be checked: hashes, git, MLflow."""
