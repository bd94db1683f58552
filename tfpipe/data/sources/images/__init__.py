"""Sources of images: files, folders, pairs, and what a picture is painted from."""
