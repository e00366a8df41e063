"""The command line: submit and follow bookings, work the desk's queue, check a practice's set-up."""
