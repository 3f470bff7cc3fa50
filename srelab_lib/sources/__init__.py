"""From servers, recordings and repositories to a snapshot."""
