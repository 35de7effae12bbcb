"""Background learning: the turns that wait in the store, and the threads and leases that learn from them."""
