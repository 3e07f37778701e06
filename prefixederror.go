package storage

import (
	"errors"
	"reflect"
	"strings"
)

// prefixRemoved returns err with the prefix removed from the keys of the errors in its tree. It is apart
// from withoutPrefix, so that withoutPrefix allocates nothing if there is no error.
func prefixRemoved(err error, prefix string) error {
	if err, isOurs := err.(*Error); isOurs {
		return err.inView(prefix)
	}
	wrapper := &prefixedError{original: err}
	wrapper.add(err, prefix)
	if len(wrapper.copies) == 0 {
		return err
	}
	return wrapper
}

// inView returns a copy of e whose Key does not have the prefix.
func (e *Error) inView(prefix string) *Error {
	clone := *e
	clone.Key = strings.TrimPrefix(e.Key, prefix)
	return &clone
}

// A prefixedError wraps an error that contains errors of this package. It shows the errors of this
// package with the prefix removed from their keys.
type prefixedError struct {
	original error
	inner    []error // the errors of this package in the original error
	copies   []error // copies of the inner errors, in the same order, without the prefix
}

// add collects the errors of this package in the tree of err, and a copy of each without the prefix in
// its key. It does not look inside an *Error, because the errors there do not have the key.
func (e *prefixedError) add(err error, prefix string) {
	switch tree := err.(type) {
	case *Error:
		e.inner = append(e.inner, tree)
		e.copies = append(e.copies, tree.inView(prefix))
	case interface{ Unwrap() []error }:
		for _, inner := range tree.Unwrap() {
			e.add(inner, prefix)
		}
	case interface{ Unwrap() error }:
		e.add(tree.Unwrap(), prefix)
	}
}

// Error returns the text of the original error, in which the texts of this package's errors are
// replaced by those of their copies. The copies name their keys without the prefix.
func (e *prefixedError) Error() string {
	var oldnew []string
	for i, inner := range e.inner {
		oldnew = append(oldnew, inner.Error(), e.copies[i].Error())
	}
	return strings.NewReplacer(oldnew...).Replace(e.original.Error())
}

// Unwrap returns the copies of this package's errors. The keys in the copies do not have the
// prefix. The keys in the original errors have it, so Unwrap does not return the original errors.
func (e *prefixedError) Unwrap() []error { return e.copies }

// Is compares target with the original error. The result of Unwrap is not enough for errors.Is,
// because it lacks errors that a Core has added.
func (e *prefixedError) Is(target error) bool { return errors.Is(e.original, target) }

// As looks for target in the original error, which also has the errors that a Core has added. If
// target can hold an *Error, As returns false, because an *Error in the original error has a key
// with the prefix. errors.As then calls Unwrap, and finds a copy whose key lacks the prefix.
func (e *prefixedError) As(target any) bool {
	isOurs := reflect.TypeFor[*Error]().AssignableTo(reflect.TypeOf(target).Elem())
	return !isOurs && errors.As(e.original, target)
}

// withoutPrefix returns err with prefix removed from the keys of all errors of this package in its
// tree.
func withoutPrefix(err error, prefix string) error {
	if err == nil || prefix == "" {
		return err
	}
	return prefixRemoved(err, prefix)
}
