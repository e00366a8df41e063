"""The practice file: locations, services and rules, with inheritance."""

from domain.practice.model import Connection, Location, Practice, UnknownName
from domain.practice.reading import PracticeProblems, practice_from

__all__ = ["Connection", "Location", "Practice", "PracticeProblems", "UnknownName", "practice_from"]
