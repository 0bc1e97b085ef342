"""What is sent to TikTok and what is read from it."""
