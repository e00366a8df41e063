"""One booking, from the patient's request to the end of the visit."""
