"""Documents into normalised Markdown, and that into chunks."""
