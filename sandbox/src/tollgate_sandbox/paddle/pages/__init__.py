"""Pages for people: the seller's dashboard and what a customer sees. They work without scripts."""
