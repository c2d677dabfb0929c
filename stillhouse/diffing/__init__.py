"""Two versions of a dataset, compared row by row, with the cause of each difference."""
