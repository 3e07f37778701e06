package location

import (
	"path/filepath"

	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
)

// InFolder returns the location of a name in the folder dst. It refuses a name that leads out of a
// directory, because others may have chosen the name: it can be the last part of a key.
func InFolder(dst Location, name string) (Location, error) {
	if name == "" {
		// Only standard input has no name.
		return dst, argument.Invalid("destination of standard input must have a file name or key", "")
	}
	if dst.Kind == InBucket {
		// The key of a folder ends in a slash, or is "" for the whole bucket.
		dst.Key += name
		return dst, nil
	}

	isFileName := filepath.IsLocal(name) && filepath.Base(name) == name
	if !isFileName {
		return dst, argument.Invalid("source must have a name that is valid for a file on this system",
			"add a file name to the destination")
	}
	dst.Path = filepath.Join(dst.Path, name)
	return dst, nil
}

// IsFolderTarget reports whether a destination is a folder, so that the source's name is added to it.
func IsFolderTarget(dst Location) bool {
	return WrittenAsFolder(dst) || dst.Kind == LocalPath && IsDirectory(dst.Path)
}

// WrittenAsFolder reports whether the text of a destination names a folder, for example because it
// ends in a slash.
func WrittenAsFolder(dst Location) bool {
	switch dst.Kind {
	case InBucket:
		return dst.IsFolder()
	case LocalPath:
		return EndsAsFolder(dst.Path)
	}
	return false
}
