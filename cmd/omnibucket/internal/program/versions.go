package program

import (
	"errors"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/location"
)

// WithVersions returns a location whose bucket is opened with its versions.
func WithVersions(l location.Location) location.Location {
	if l.Scheme == "mem" || l.Scheme == "file" { // they know whether they keep versions
		return l
	}
	return l.WithDefault("versions", "true")
}

// NeedVersions refuses a bucket that keeps no versions.
func NeedVersions(bucket storage.Bucket) error {
	if storage.Supports(bucket, storage.Versioning) {
		return nil
	}
	return ErrNoVersions
}

// ErrNoVersions is the error of a bucket without versions.
var ErrNoVersions = &storage.Error{
	Code: storage.Unsupported, Err: errors.New("the bucket keeps no old versions"),
	Hint: `to keep them from now on, use "omnibucket bucket --versioning on" or, on Azure, the settings of the storage account`,
}
