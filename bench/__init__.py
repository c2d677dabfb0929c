"""Speed, measured against a peer or a bare baseline in the same run."""
