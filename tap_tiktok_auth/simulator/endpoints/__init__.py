"""TikTok's endpoints: pure functions from a state and a request to the data of an answer."""
