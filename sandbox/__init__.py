"""The other end of the wire: speaks Dentrix Ascend, NexHealth, SendGrid and Twilio over HTTP. A program at a URL."""
