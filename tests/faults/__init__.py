"""Fault tests: seeded trouble while bookings compete, then a judge over what was left behind.

``plan`` deals a seed's requests and troubles; ``stack`` runs the real parts; ``clients`` ask and keep a history;
``nemesis`` makes the trouble; ``practice`` knows the practice system at the other end. ``evidence`` gathers what was
left behind, as ``facts``; ``checker`` judges it, by rules about the calendar, the desk, the messages and the course.
``run`` plays one seed, ``__main__`` plays many and draws the table. ``unguarded`` plays what the judge must condemn.
"""
