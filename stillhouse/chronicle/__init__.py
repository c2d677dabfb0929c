"""Dataset versions and students over git's history: what changed, what it brought, what it cost."""
