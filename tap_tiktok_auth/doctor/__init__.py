"""What is wrong with an installation, its settings, its store and its connections."""
