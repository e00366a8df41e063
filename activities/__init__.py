"""One thin module a concern; each activity may run twice and must act once."""
