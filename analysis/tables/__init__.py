"""From runs to a table: which runs count, what is ranked and chosen, what is said below."""
