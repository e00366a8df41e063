"""A morning at a dental practice, played against the real programs. Only the configuration differs from production."""
