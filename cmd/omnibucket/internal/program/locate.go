package program

import (
	"errors"
	"io/fs"
	"os"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/location"
	"github.com/omnibucket/storage/locations"
)

// Locate parses an argument of any kind. Global flags such as --region become parameters of the
// address.
func (s *Stores) Locate(text string) (location.Location, error) {
	l, err := location.Parse(text, s.LookupLocation)
	if err != nil {
		return l, err
	}
	if l.Kind == location.LocalPath {
		return l, s.checkPath(text)
	}
	return s.flags.withParameters(l), nil
}

// LocateInBucket parses an argument that must name something in a bucket. A local directory counts
// as a bucket.
func (s *Stores) LocateInBucket(text string) (location.Location, error) {
	l, err := s.Locate(text)
	if err != nil {
		return l, err
	}
	if l.Kind == location.Account {
		return l, argument.Invalid("location must have a bucket", location.AddressHint)
	}
	if l.Kind == location.LocalPath {
		return l.AsBucket()
	}
	if l.Kind == location.InBucket {
		return l, nil
	}
	return l, &storage.Error{
		Code: storage.InvalidArgument,
		Key:  text,
		Err:  location.ErrNotInBucket,
		Hint: location.AddressHint,
	}
}

// LocateExisting is like [Stores.LocateInBucket], for an argument that a command only reads. It refuses
// what looks like the name of a bucket without its address, unless a file has this name.
func (s *Stores) LocateExisting(text string) (location.Location, error) {
	l, err := s.LocateInBucket(text)
	if err != nil {
		return l, err
	}
	mayBeBucket := l.Path != "" && argument.IsBucketName(l.Path)
	if !mayBeBucket {
		return l, nil
	}

	if _, err := os.Lstat(l.Path); errors.Is(err, fs.ErrNotExist) {
		return l, argument.OfPath(l.Path, err)
	}
	return l, nil
}

// LocateEntry parses an argument that must name something in a bucket. For a local path without
// wildcards, the bucket is the parent directory, so that a command can remove or move the path itself.
func (s *Stores) LocateEntry(text string) (location.Location, error) {
	l, err := s.Locate(text)
	if err != nil {
		return l, err
	}
	if l.Kind == location.LocalPath && !l.IsWild() {
		return l.AsEntry()
	}
	return s.LocateInBucket(text)
}

// checkPath refuses a path that does not exist but is the name of a location, because the user has
// probably forgotten the colon after the name.
func (s *Stores) checkPath(path string) error {
	if !locations.IsName(path) {
		return nil
	}
	if _, ok := s.LookupLocation(locations.Variable(path)); !ok {
		return nil
	}
	if _, err := os.Lstat(path); err == nil {
		return nil
	}
	return argument.Invalid(
		path+" must end in \":\" to be the name of a location",
		"write "+path+": for the location, or ./"+path+" for a file",
	)
}

// NameOf returns a location in the form that is printed: the path, or the address without
// parameters.
func NameOf(l location.Location) string {
	if l.Path != "" {
		return l.Path
	}
	if l.Kind == location.Stream {
		return "-"
	}
	l.Query = ""
	return l.AddressWithKey()
}
