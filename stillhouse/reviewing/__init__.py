"""People look at rows: a local page, what it saves, and how far they are."""
