"""HTTP requests: sent once, paced, retried only where that is safe."""
