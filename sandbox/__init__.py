"""The other end of the wire: speaks Dentrix Ascend, SendGrid and Twilio over HTTP. A program at a URL."""
