"""Settings with which Holdfast uses the sandbox instead of the vendors."""

from collections.abc import Mapping


def sandbox_settings(url: str) -> Mapping[str, str]:
    """``url``: where the sandbox listens. The credentials are the ones it accepts; none of them is secret."""
    return {
        "ASCEND_BASE_URL": url,
        "ASCEND_CLIENT_ID": "sandbox-client",
        "ASCEND_CLIENT_SECRET": "sandbox-secret",
        "ASCEND_ORGANIZATION_ID": "5f0000000000000000000001",
        "ASCEND_READ_TIMEOUT": "4",
        "NEXHEALTH_BASE_URL": url,
        "NEXHEALTH_API_KEY": "sandbox-nexhealth-key",
        "NEXHEALTH_SUBDOMAIN": "bright-harbor",
        "NEXHEALTH_READ_TIMEOUT": "4",
        "SENDGRID_BASE_URL": url,
        "SENDGRID_API_KEY": "SG.sandbox",
        "SENDGRID_FROM": "bookings@practice.example",
        "TWILIO_BASE_URL": url,
        "TWILIO_ACCOUNT_SID": "AC" + "1".rjust(32, "0"),
        "TWILIO_API_KEY_SID": "SK" + "1".rjust(32, "0"),
        "TWILIO_API_KEY_SECRET": "sandbox-twilio",
        "TWILIO_MESSAGING_SERVICE_SID": "MG" + "1".rjust(32, "0"),
    }
