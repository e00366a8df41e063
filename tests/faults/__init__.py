"""Fault tests: seeded trouble while bookings compete, then a judge over what was left behind.

``plan`` deals a seed's requests and troubles; ``stack`` runs the real parts; ``clients`` ask and keep a history;
``nemesis`` makes the trouble; ``practice`` knows the practice system at the other end; ``checker`` judges.
``run`` plays one seed, ``__main__`` plays many and draws the table.
"""
