"""A person's login: from the address of TikTok's consent page to stored tokens."""
