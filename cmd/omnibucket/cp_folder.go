package main

import "path/filepath"

// inFolder returns the location of a name in a folder. The name may be from a key
// that somebody else chose, so it must not lead elsewhere.
func inFolder(dst location, name string) (location, error) {
	switch {
	case name == "":
		return dst, invalid("destination of standard input must have a file name or key", "")
	case dst.kind == inBucket:
		dst.key += name
	case !filepath.IsLocal(name) || filepath.Base(name) != name:
		return dst, invalid("source must have a name that is valid for a file on this system", "add a file name to the destination")
	default:
		dst.path = filepath.Join(dst.path, name)
	}
	return dst, nil
}

// isFolderTarget reports whether a destination is a folder, to which the source's
// name is added.
func isFolderTarget(dst location) bool {
	return writtenAsFolder(dst) || dst.kind == localPath && isDirectory(dst.path)
}

// writtenAsFolder reports whether the text of a destination shows that it is a
// folder.
func writtenAsFolder(dst location) bool {
	switch dst.kind {
	case inBucket:
		return dst.isFolder()
	case localPath:
		return endsAsFolder(dst.path)
	}
	return false
}
