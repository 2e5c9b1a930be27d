"""Reports of drills: renderers, one a file, each from the evidence alone. They ask nobody and write no file."""
