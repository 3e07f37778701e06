package program

import (
	"errors"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/location"
)

// WithVersions returns the location with versions=true in its address, so that the bucket shows its
// versions. A mem or file address stays as it is.
func WithVersions(l location.Location) location.Location {
	// For mem and file, versions=true would turn versioning on, and is not needed to show versions.
	if l.Scheme == "mem" || l.Scheme == "file" {
		return l
	}
	return l.WithDefault("versions", "true")
}

// NeedVersions fails if a bucket does not keep versions.
func NeedVersions(bucket storage.Bucket) error {
	if storage.Supports(bucket, storage.Versioning) {
		return nil
	}
	return ErrNoVersions
}

// ErrNoVersions is the error of a bucket without versions.
var ErrNoVersions = &storage.Error{
	Code: storage.Unsupported,
	Err:  errors.New("the bucket keeps no old versions"),
	Hint: `to keep them from now on, use "omnibucket bucket --versioning on" or, on Azure, the settings of the storage account`,
}
