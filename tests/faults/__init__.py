"""Fault tests in the manner of Jepsen: seeded faults while bookings compete, then a checker over what remains.

* ``plan`` draws a seed's requests and faults; ``fault_catalog`` lists the faults.
* ``stack`` runs the real processes. ``clients`` send requests and keep a ``history``.
* ``nemesis`` injects the faults; some of them are acts of the ``front_desk``.
* ``practice_probe`` is what the tests need of a practice system, for ``ascend_probe`` and ``nexhealth_probe``.
* ``quiescence`` waits until everything is at rest. ``evidence_collector`` then gathers the ``evidence``.
* ``checker`` holds the invariants over the evidence: ``calendar_invariants``, ``staff_edit_invariants``,
  ``message_invariants`` and ``system_invariants``.
* ``negative_controls`` runs workers with one guard removed, which the checker must notice.
* ``seed_run`` plays one seed, ``campaign`` many; ``__main__`` is the command line.
"""
