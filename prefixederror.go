package storage

import (
	"errors"
	"reflect"
	"strings"
)

// prefixRemoved is the part of withoutPrefix that allocates memory. It is a separate function, so
// that withoutPrefix allocates nothing if there is no error.
func prefixRemoved(err error, prefix string) error {
	if e, bare := err.(*Error); bare {
		return e.inView(prefix)
	}
	p := &prefixedError{original: err}
	p.add(err, prefix)
	if len(p.errs) == 0 {
		return err
	}
	return p
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
	from     []error // the errors of this package in the wrapped error
	errs     []error // copies of the errors in from, without the prefix
}

// add finds the errors of this package in the tree of err. It appends them to e.from, and their
// copies without the prefix to e.errs. It does not look for errors inside an *Error, because these
// inner errors do not have the key.
func (e *prefixedError) add(err error, prefix string) {
	switch tree := err.(type) {
	case *Error:
		e.from = append(e.from, tree)
		e.errs = append(e.errs, tree.inView(prefix))
	case interface{ Unwrap() []error }:
		for _, inner := range tree.Unwrap() {
			e.add(inner, prefix)
		}
	case interface{ Unwrap() error }:
		e.add(tree.Unwrap(), prefix)
	}
}

// Error returns the text of the original error, in which the texts of this package's errors are
// replaced by those of their copies.
func (e *prefixedError) Error() string {
	var replacements []string
	for i, inner := range e.from {
		replacements = append(replacements, inner.Error(), e.errs[i].Error())
	}
	return strings.NewReplacer(replacements...).Replace(e.original.Error())
}

// Unwrap returns the copies of this package's errors. The keys in the copies do not have the
// prefix. The keys in the original errors have it, so Unwrap does not return the original errors.
func (e *prefixedError) Unwrap() []error { return e.errs }

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

// withoutPrefix removes prefix from the keys of all errors of this package in the tree of err.
func withoutPrefix(err error, prefix string) error {
	if err == nil || prefix == "" {
		return err
	}
	return prefixRemoved(err, prefix)
}
