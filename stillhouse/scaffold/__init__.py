"""What ``stillhouse init`` makes: a project of the user's own, run by the installed library."""
