"""The languages of messages to patients."""

from domain.wording.english import ENGLISH
from domain.wording.spanish import SPANISH
from domain.wording.texts import PatientTexts

LANGUAGES: dict[str, PatientTexts] = {"en": ENGLISH, "es": SPANISH}
"""By the language code of a request."""
