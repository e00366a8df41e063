"""The practice file: locations, services and rules, with inheritance."""

from domain.practice.model import Connection, Location, Practice, UnknownName
from domain.practice.parsing import InvalidPractice, parse_practice

__all__ = ["Connection", "InvalidPractice", "Location", "Practice", "UnknownName", "parse_practice"]
