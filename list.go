package storage

import (
	"iter"
)

// failing is a listing that only fails.
func failing[E any](err error) iter.Seq2[E, error] {
	return func(yield func(E, error) bool) {
		var none E
		yield(none, err)
	}
}
