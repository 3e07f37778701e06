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

// IsKey reports whether key is a result of [NewKey]. The object with this key may remain if a job
// was killed. It is not the user's data. Jobs therefore do not copy this object, and do not remove
// it when they remove objects that another place lacks.
func IsKey(key string) bool {
	random, ok := strings.CutPrefix(key[strings.LastIndexByte(key, '/')+1:], start)
	return ok && len(random) >= leastRandom && strings.Trim(random, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == ""
}

const (
	start       = "omnibucket-question-"
	leastRandom = 26 // length of rand.Text
)

// A Question finds out whether two ends of a job are the same place. It stores an object at one
// end. If that object appears at the other end, both ends are the same place.
type Question struct {
	at           End
	prefix, name string
}

// Ask begins a new Question by storing an object at end, with a key that begins with prefix. The
// caller must call [Question.End], which removes the object.
func Ask(ctx context.Context, end End, prefix string) (*Question, error) {
	q := &Question{at: end, prefix: prefix, name: NewKey("")}
	if err := end.Put(Asking(ctx), prefix+q.name); err != nil {
		return nil, err
	}
	return q, nil
}

// AppearsIn reports whether the object that [Ask] has stored appears in the other bucket or
// directory, below prefix.
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
// end, and removes it. If it found the object, the two prefixes show the same objects.
func Appears(ctx context.Context, end End, prefix string, other End, otherPrefix string) (found bool, err error) {
	q, err := Ask(ctx, end, prefix)
	if err != nil {
		return false, err
	}
	defer func() {
		err = errors.Join(err, q.End(ctx))
	}()
	return q.AppearsIn(ctx, other, otherPrefix)
}
