"""Untrusted text that is run: SQL, JSON against a schema, Python, each in a child process that can do nothing else."""
