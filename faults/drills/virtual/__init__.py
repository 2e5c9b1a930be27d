"""The service, its injector and its traffic on a virtual clock: the same code as live, half an hour in seconds."""
