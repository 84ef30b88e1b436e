"""The methods that a team would use instead of Headrace: each a function from histories to lists."""
