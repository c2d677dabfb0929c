"""A trace's verdicts on the students in ``models/``, row by row in plain Python.

This is how ``stillhouse.tracing`` worked before it compared columns. It is kept because it can be read
and was reviewed hard: both must come to the same (``tests/test_trace_columns.py``).
"""
