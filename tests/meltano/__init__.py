"""Real Meltano."""
