"""Objects as `kubectl describe` shows them: from an object and what belongs to it to text, by its kind."""
