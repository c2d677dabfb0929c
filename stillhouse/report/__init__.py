"""One page that shows what a run made, and the one sentence that says it."""
