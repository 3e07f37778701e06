package evidence

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"time"
)

// An End is one of the two ends of a question: are they one place?
type End interface {
	// Put stores a small object or file.
	Put(ctx context.Context, key string) error
	// Has looks for an object or file, without a cache.
	Has(ctx context.Context, key string) (bool, error)
	// Discard removes what Put has stored, and leaves no version of it if it can.
	Discard(ctx context.Context, key string) error
}

// Text is the content of the object that [Appears] stores, for a person who finds such an object
// after a crash.
const Text = "A job of omnibucket that removes objects asked whether two places are one. This object may be removed.\n"

// discarding is how long the removal of the object may take after ctx is done.
const discarding = 30 * time.Second

// NewKey returns the key of an object, which nobody else uses.
func NewKey(prefix string) string { return prefix + start + rand.Text() }

// IsKey reports whether a key, or a name, is like those of NewKey. A job that was killed may have left such an
// object. It is not data: jobs do not copy it, and do not remove anything because of it.
func IsKey(key string) bool {
	random, ok := strings.CutPrefix(key[strings.LastIndexByte(key, '/')+1:], start)
	return ok && len(random) >= leastRandom && strings.Trim(random, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == ""
}

const (
	start       = "omnibucket-question-"
	leastRandom = 26 // length of rand.Text
)

// A Question is an object that was stored at an end, to see where else it appears.
type Question struct {
	at           End
	prefix, name string
}

// Ask stores an object below a prefix of an end. The caller ends the question.
func Ask(ctx context.Context, at End, prefix string) (*Question, error) {
	q := &Question{at: at, prefix: prefix, name: NewKey("")}
	if err := at.Put(Asking(ctx), prefix+q.name); err != nil {
		return nil, err
	}
	return q, nil
}

// AppearsIn reports whether the object appears below a prefix of another end.
func (q *Question) AppearsIn(ctx context.Context, other End, prefix string) (bool, error) {
	return other.Has(Asking(ctx), prefix+q.name)
}

// End removes the object, also if ctx is done.
func (q *Question) End(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(Asking(ctx)), discarding)
	defer cancel()
	return q.at.Discard(ctx, q.prefix+q.name)
}

// Appears reports whether an object that is stored at one end appears at the other one: then objects below
// prefix in the one are below otherPrefix in the other. It stores one object, looks for it, and removes it.
func Appears(ctx context.Context, at End, prefix string, other End, otherPrefix string) (found bool, err error) {
	q, err := Ask(ctx, at, prefix)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, q.End(ctx)) }()
	return q.AppearsIn(ctx, other, otherPrefix)
}
