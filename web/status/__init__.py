"""The page that shows a patient, behind a signed link, where a booking stands. It changes nothing."""
