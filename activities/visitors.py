"""Whose visit it is, as the ledger may know it."""

from collections.abc import Collection

from pydantic import Field

from adapters.ledger import Visitor
from domain.base import Value
from domain.contacts import contact_key, is_filler
from domain.keyed_hash import KeyedHash


class VisitorInput(Value):
    person: str = Field(repr=False)
    """Text that is equal for every spelling of the same name and birth date."""
    contacts: tuple[str, ...] = Field(default=(), repr=False)
    """Phone number and email address."""

    def hashed(self, keyed_hash: KeyedHash, practice_contacts: Collection[str]) -> Visitor:
        """A contact that says nothing about the person, such as the practice's own, is left out."""
        keys = dict.fromkeys(contact_key(contact) for contact in self.contacts)
        contacts = [key for key in keys if not is_filler(key) and key not in practice_contacts]
        return Visitor(
            person=keyed_hash.all_keys("visitor", self.person),
            contacts=tuple(keyed_hash.all_keys("contact", contact) for contact in contacts),
        )


def chart_keys(keyed_hash: KeyedHash, connection: str, chart: str) -> tuple[str, ...]:
    """Keys of a chart of one connection."""
    return keyed_hash.all_keys("visitor's chart", f"{connection}:{chart}")
