"""1 RECEIVE: control parameters, key, limits. What passes becomes a `VerifiedRequest`."""
