"""Where a snapshot comes from: a live cluster or a recorded incident."""
