"""The report: what was recorded, as a draft to finish, a timeline, follow-ups and a review."""
