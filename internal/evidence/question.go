package evidence

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"time"
)

// An End is one of the two ends of a job, such as a bucket or a directory. A [Question] stores an
// object at one end and looks for it at the other.
type End interface {
	// Put stores a small object or file with the key.
	Put(ctx context.Context, key string) error
	// Has reports whether the object or file exists. It does not use a cache.
	Has(ctx context.Context, key string) (bool, error)
	// Discard removes the object or file that Put has stored. If possible, it also removes every
	// version of it.
	Discard(ctx context.Context, key string) error
}

// Text is the content of the object that a [Question] stores. A person who finds the object after a
// crash learns what it is.
const Text = "A job of omnibucket that removes objects asked whether two places are one. This object may be removed.\n"

// discarding is the longest time that the removal of the object of a [Question] may take.
const discarding = 30 * time.Second

// NewKey returns a new key with the prefix, for the object of a [Question]. It has a random part,
// so no other object has it.
func NewKey(prefix string) string { return prefix + start + rand.Text() }

// IsKey reports whether key is a result of [NewKey]. A job that was killed may have left such an
// object. Jobs do not copy it, and do not remove anything because of it, because it is not the
// user's data.
func IsKey(key string) bool {
	random, ok := strings.CutPrefix(key[strings.LastIndexByte(key, '/')+1:], start)
	return ok && len(random) >= leastRandom && strings.Trim(random, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == ""
}

const (
	start       = "omnibucket-question-"
	leastRandom = 26 // length of rand.Text
)

// A Question asks whether two ends are the same place. It is an object at one end, which then
// appears at the other end or does not.
type Question struct {
	at           End
	prefix, name string
}

// Ask stores the object of a new Question at an end, below a prefix. The caller must call
// [Question.End].
func Ask(ctx context.Context, at End, prefix string) (*Question, error) {
	q := &Question{at: at, prefix: prefix, name: NewKey("")}
	if err := at.Put(Asking(ctx), prefix+q.name); err != nil {
		return nil, err
	}
	return q, nil
}

// AppearsIn reports whether the object of the Question appears below a prefix of another end.
func (q *Question) AppearsIn(ctx context.Context, other End, prefix string) (bool, error) {
	return other.Has(Asking(ctx), prefix+q.name)
}

// End removes the object of the Question, even if ctx is done.
func (q *Question) End(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(Asking(ctx)), discarding)
	defer cancel()
	return q.at.Discard(ctx, q.prefix+q.name)
}

// Appears stores an object below prefix at one end, looks for it below otherPrefix at the other
// end, and removes it. It reports whether it found the object. If so, the two prefixes show the
// same objects.
func Appears(ctx context.Context, at End, prefix string, other End, otherPrefix string) (found bool, err error) {
	q, err := Ask(ctx, at, prefix)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, q.End(ctx)) }()
	return q.AppearsIn(ctx, other, otherPrefix)
}
