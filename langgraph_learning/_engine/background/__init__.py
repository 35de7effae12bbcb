"""Learning behind the reply: turns that wait in the store, and who learns from them."""
