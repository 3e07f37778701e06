// Package scope describes what a narrowed bucket may do, and which keys it shows.
package scope

import (
	"cmp"
	"fmt"
)

// A Permission is one bit for each method of a bucket.
type Permission uint16

// The permissions.
const (
	Upload Permission = 1 << iota
	Download
	List
	Attrs
	Exists
	Remove
	SignUpload
	SignDownload
	PublicURL

	Everything Permission = 1<<iota - 1
)

// NarrowedHint is the hint of a call that a Scope does not permit.
const NarrowedHint = "this reference was narrowed by Ref"

// ForeignHint is the hint of a call for which Foreign is the reason.
const ForeignHint = "to change what a bucket does, wrap its Core (storage.Wrap) or its driver (driver.WithLayer), " +
	"and embed no Bucket"

// Foreign says why an operation refuses a value that is not a bucket of package storage.
func Foreign(op string, b any) string {
	return fmt.Sprintf("%s needs a bucket of this library, and the value is a %T", op, b)
}

// A Scope says which permissions and keys of a bucket Ref and Prefixed have left.
type Scope struct {
	Prefix string
	Mask   Permission
	Bad    error // why the prefix is invalid: every operation fails with it; nil if it is valid
}

// In returns s narrowed by outer.
func (s Scope) In(outer Scope) Scope {
	return Scope{Prefix: s.Prefix + outer.Prefix, Mask: s.Mask & outer.Mask, Bad: cmp.Or(s.Bad, outer.Bad)}
}

// Key returns the whole key for a key that a caller passes. The empty key stays empty, and is
// refused.
func (s *Scope) Key(key string) string {
	if key == "" || s.Prefix == "" { // a concatenation with an empty text is slower
		return key
	}
	return s.Prefix + key
}

// Whole reports whether the bucket is not narrowed.
func (s *Scope) Whole() bool { return s.Mask == Everything && s.Prefix == "" && s.Bad == nil }

// Permits reports whether the scope has all permissions of may.
func (s *Scope) Permits(may Permission) bool { return s.Mask&may == may }
