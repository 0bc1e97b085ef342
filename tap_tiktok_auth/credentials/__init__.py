"""Tokens kept, fresh and safe: the core, which knows no TikTok, no Singer and no terminal."""
