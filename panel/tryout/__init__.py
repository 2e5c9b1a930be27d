"""The Predict page's parts: inputs and how they are pushed, attempts, what their requests left behind."""
