"""A thing followed through the tables, up- and downstream, and which models of any version saw it."""
