"""Speed and accuracy, each against a peer in the same run, over the project's recordings."""
