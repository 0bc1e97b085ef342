"""Many processes, kills and restarts, counted at the simulator."""
