"""A stand-in for Dentrix Ascend, NexHealth, SendGrid and Twilio that serves their HTTP APIs for development."""
