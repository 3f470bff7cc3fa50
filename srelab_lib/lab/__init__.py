"""The phases of the lab."""
