"""7 FOLLOW UP, after the change is committed: welcome e-mail, returned password, signals of the host project."""
