"""What a patient may read about the status of a booking.

The text gives a reason only if that reason does not depend on who asks. Otherwise a stranger who types somebody
else's name and birth date would learn whether that person is a patient here.
"""

from domain.booking import Reason, Status
from domain.wording.languages import LANGUAGES


def public_status(status: Status, reason: Reason | None, language: str = "en") -> str:
    """The sentences for a status and its reason."""
    statuses = LANGUAGES[language].statuses
    return statuses.get((status, reason), statuses[status, None])
