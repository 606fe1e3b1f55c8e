"""Settings (in progress)."""
