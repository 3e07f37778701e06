package evidence

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"time"
)

// An End is one of two ends of which it is asked whether they are one place.
type End interface {
	// Put stores a small object or file.
	Put(ctx context.Context, key string) error
	// Has looks for an object or file, without a cache.
	Has(ctx context.Context, key string) (bool, error)
	// Discard removes what Put has stored, and leaves no version of it if it can.
	Discard(ctx context.Context, key string) error
}

// Text is the content of the object that [Appears] stores, for a person who finds one after a crash.
const Text = "A job of omnibucket that removes objects asked whether two places are one. This object may be removed.\n"

// discarding is how long the removal of the object may take after ctx is done.
const discarding = 30 * time.Second

// NewKey returns the key of an object that nobody else has.
func NewKey(prefix string) string { return prefix + start + rand.Text() }

// IsName reports whether a name, which is what follows the last slash of a key, begins like those of NewKey.
func IsName(name string) bool { return strings.HasPrefix(name, start) }

const start = "omnibucket-question-"

// Appears reports whether an object that is stored at one end appears at the other one: then what lies at prefix
// in the one lies at otherPrefix in the other. It stores one object, looks for it, and removes it.
func Appears(ctx context.Context, at End, prefix string, other End, otherPrefix string) (found bool, err error) {
	name := NewKey("")
	ctx = Asking(ctx)
	if err := at.Put(ctx, prefix+name); err != nil {
		return false, err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), discarding)
		defer cancel()
		err = errors.Join(err, at.Discard(ctx, prefix+name))
	}()
	return other.Has(ctx, otherPrefix+name)
}
