// Package scope describes what a caller may do with a bucket that Ref or Prefixed has narrowed, and
// which keys the caller sees.
package scope

import (
	"cmp"
	"fmt"
)

// A Permission is a set of methods of a bucket, with one bit for each method.
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

// NarrowedHint is the hint in the error of a call that a [Scope] does not permit.
const NarrowedHint = "this reference was narrowed by Ref"

// ForeignHint is the hint in an error whose text comes from [Foreign].
const ForeignHint = "to change what a bucket does, wrap its Core (storage.Wrap) or its driver (driver.WithLayer), " +
	"and embed no Bucket"

// Foreign returns the text of an error: the operation op refuses b, because b is not a bucket of
// package storage.
func Foreign(op string, b any) string {
	return fmt.Sprintf("%s needs a bucket of this library, and the value is a %T", op, b)
}

// A Scope describes a bucket that Ref or Prefixed has narrowed. It holds the permitted methods and
// the prefix of the visible keys.
type Scope struct {
	Prefix string
	Mask   Permission
	Part   bool  // true for every result of Ref and Prefixed, even if it permits everything
	Bad    error // error of every operation if the prefix is invalid, or nil
}

// In returns a Scope that combines the limits of two Scopes. Its prefix is the prefix of s,
// followed by the prefix of the other Scope. It permits a method only if both Scopes permit the
// method.
func (s Scope) In(outer Scope) Scope {
	return Scope{Prefix: s.Prefix + outer.Prefix, Mask: s.Mask & outer.Mask, Part: true, Bad: cmp.Or(s.Bad, outer.Bad)}
}

// Key returns the caller's key with the prefix of the Scope before it. An empty key stays empty, so
// that a later check refuses it.
func (s *Scope) Key(key string) string {
	if key == "" || s.Prefix == "" {
		// This is faster than a concatenation with "".
		return key
	}
	return s.Prefix + key
}

// Whole reports whether the Scope permits every method and shows all keys.
func (s *Scope) Whole() bool { return !s.Part && s.Bad == nil }

// Permits reports whether the Scope has all of the given permissions.
func (s *Scope) Permits(may Permission) bool { return s.Mask&may == may }
