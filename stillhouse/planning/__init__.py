"""What the next `dvc repro` will ask, cost and run again, found out before any of it happens."""
