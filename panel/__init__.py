"""What a person touches: the terminal and the browser. It reaches the service over HTTP only."""
