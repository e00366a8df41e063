"""Dentrix Ascend's REST API and the front desks that work in Ascend."""
