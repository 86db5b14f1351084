"""`renderfarm doctor`: looks at everything an agent needs on this machine, and says what to mend."""
