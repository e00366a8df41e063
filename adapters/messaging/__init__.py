"""Email through SendGrid, and SMS through Twilio."""
