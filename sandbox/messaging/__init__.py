"""The message-sending APIs of SendGrid (email) and Twilio (text messages)."""
