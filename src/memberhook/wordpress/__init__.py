"""Speaking to a WordPress: one REST call by whichever way is open, and what its answers mean."""
