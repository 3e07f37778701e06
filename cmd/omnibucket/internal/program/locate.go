package program

import (
	"os"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/location"
)

// Locate parses an argument of any kind. Flags add parameters to its address.
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

// LocateInBucket parses an argument that must be in a bucket. A directory of this machine is
// a bucket, too.
func (s *Stores) LocateInBucket(text string) (location.Location, error) {
	l, err := s.Locate(text)
	switch {
	case err != nil:
		return l, err
	case l.Kind == location.Account:
		return l, argument.Invalid("address must have a bucket", location.AddressHint)
	case l.Kind == location.LocalPath:
		return l.AsBucket()
	case l.Kind == location.InBucket:
		return l, nil
	}
	return l, &storage.Error{
		Code: storage.InvalidArgument, Key: text, Err: location.ErrNotInBucket, Hint: location.AddressHint,
	}
}

// LocateEntry is LocateInBucket, but a directory of this machine is a folder in the bucket of
// its parent directory, so that a command applies to the directory itself.
func (s *Stores) LocateEntry(text string) (location.Location, error) {
	l, err := s.Locate(text)
	if err == nil && l.Kind == location.LocalPath && !l.IsWild() {
		return l.AsEntry()
	}
	return s.LocateInBucket(text)
}

// checkPath refuses a path that is the name of a location, and of no file.
func (s *Stores) checkPath(path string) error {
	if !location.NameForm.MatchString(path) {
		return nil
	}
	if _, known := s.LookupLocation(location.VariableOf(path)); !known {
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

// NameOf returns a location as a line of output shows it: the address without parameters, or
// the path.
func NameOf(l location.Location) string {
	switch {
	case l.Path != "":
		return l.Path
	case l.Kind == location.Stream:
		return "-"
	}
	l.Query = ""
	return l.AddressWithKey()
}
