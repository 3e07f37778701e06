// Package commit keeps a log in a bucket: numbered entries that several processes append to, as table
// formats do. It needs no server beside the store.
//
// An entry is one object. Its key ends in its number, in 20 digits, and its content is what was appended.
// Numbers begin at 1 and have no gaps. The store lets one of several writers at once have a number; the
// others see what won, and try the next one. If the response to a write is lost, the id in the metadata of
// the entry tells whose it is. The log needs [storage.ConditionalCreate] and [storage.Metadata], and
// [Log.Trim] also [storage.ConditionalUpdate]; otherwise it fails with Unsupported.
//
// All operations together are linearizable. For one object that is replaced, such as the pointer to the
// current state of a table, use [storage.Update].
package commit

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/ctxcode"
)

// MaxEntry is the size of the largest entry, in bytes. Put more into an object of its own, and its key
// into the entry.
const MaxEntry = 16 << 20

// A Log is a log in one folder of a bucket. Its methods may be called concurrently.
type Log struct {
	bucket  storage.ReadWriter
	prefix  string
	known   atomic.Int64              // an entry that is or was in the log; 0: none is known
	learned atomic.Pointer[time.Time] // when that was not trimmed; set before known is
}

// An Entry is one entry of a log.
type Entry struct {
	Number   int64 // from 1
	Data     []byte
	Modified time.Time // when it was appended, by the clock of the store
}

// New returns the log below prefix, which ends in "/". A log without entries needs no object. Other
// objects below prefix do not matter to it, unless their names are 20 digits or "trimmed". New makes no
// request.
func New(b storage.ReadWriter, prefix string) (*Log, error) {
	l := &Log{bucket: b, prefix: prefix}
	switch {
	case b == nil:
		return nil, l.failed("New", storage.InvalidArgument, "bucket must not be nil")
	case !strings.HasSuffix(prefix, "/"):
		return nil, l.failed("New", storage.InvalidArgument, `prefix must end in "/"`)
	case !storage.Supports(b, storage.ConditionalCreate):
		return nil, l.failed("New", storage.Unsupported, "a log needs IfAbsent on Upload")
	case !storage.Supports(b, storage.Metadata):
		return nil, l.failed("New", storage.Unsupported, "a log needs WithMetadata")
	}
	return l, nil
}

func (l *Log) failed(op string, code storage.Code, text string) *storage.Error {
	return &storage.Error{Code: code, Op: op, Key: l.prefix, Err: errors.New(text)}
}

// interrupted returns the error of an operation whose ctx has ended.
func (l *Log) interrupted(op string, cause error) error {
	return l.failed(op, ctxcode.Of(cause), "interrupted while it waited")
}

func (l *Log) key(number int64) string { return fmt.Sprintf("%s%020d", l.prefix, number) }

// learn remembers that an entry is in the log, and thereby that known is not trimmed.
func (l *Log) learn(number int64) {
	l.learned.Store(new(time.Now()))
	for known := l.known.Load(); known < number && !l.known.CompareAndSwap(known, number); {
		known = l.known.Load()
	}
}

// Last returns the number of the last entry, or 0 if nothing was ever appended. It lists nothing: after
// n new entries it takes about 2 log n requests.
func (l *Log) Last(ctx context.Context) (int64, error) {
	for low := l.known.Load(); ; {
		last, err := l.search(ctx, low)
		if err != nil {
			return 0, err
		}
		trimmed, err := l.Trimmed(ctx)
		if err != nil {
			return 0, err
		}
		if trimmed <= last { // else what was absent may have been removed
			l.learn(last)
			return last, nil
		}
		low = trimmed
	}
}

// search returns the last entry, if low was one, or 0, and those after it are all there: it doubles its
// steps up to one that is absent, and then halves them.
func (l *Log) search(ctx context.Context, low int64) (int64, error) {
	var high int64
	for step := int64(1); ; step *= 2 {
		high = low + step
		there, err := l.bucket.Exists(ctx, l.key(high))
		if err != nil {
			return 0, err
		}
		if !there {
			break
		}
		low = high
	}
	for high-low > 1 {
		middle := low + (high-low)/2
		there, err := l.bucket.Exists(ctx, l.key(middle))
		switch {
		case err != nil:
			return 0, err
		case there:
			low = middle
		default:
			high = middle
		}
	}
	return low, nil
}
