// Package commit keeps a log in a bucket: numbered entries that several processes append to, as table
// formats do. It needs no server beside the store.
//
// An entry is one object. Its key ends in its number, in 20 digits, and its content is what was appended.
// Numbers begin at 1 and have no gaps. If several writers try to store the same number, the store accepts
// one; the others read that entry, and try the next number. If the response to a write is lost, the id in
// the metadata of the entry shows who wrote it. The log needs [storage.ConditionalCreate] and
// [storage.Metadata], and [Log.Trim] also [storage.ConditionalUpdate]; otherwise it fails with
// Unsupported.
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
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/ctxcode"
)

// MaxEntry is the size of the largest entry, in bytes. Put more into an object of its own, and its key
// into the entry.
const MaxEntry = 16 << 20

// A Log is a log in one folder of a bucket. Its methods may be called concurrently.
type Log struct {
	bucket storage.ReadWriter
	prefix string
	known  atomic.Pointer[known] // nil if no entry is known
}

// known is the greatest entry that this Log has seen.
type known struct {
	number int64
	id     string    // id of the call that appended it; "" if that was not seen
	at     time.Time // when it, or an entry before it, was last seen in the log, and so was not trimmed
}

// An Entry is one entry of a log.
type Entry struct {
	Number   int64 // from 1
	Data     []byte
	Modified time.Time // when it was appended, by the clock of the store
}

// New returns the log below prefix, which ends in "/". A log without entries needs no object. Other
// objects below prefix do not matter to it, unless their names are 20 digits or "trimmed". New makes no
// request. With a b that is not a bucket of this library, it fails with Unsupported.
func New(b storage.ReadWriter, prefix string) (*Log, error) {
	l := &Log{bucket: b, prefix: prefix}
	switch {
	case b == nil:
		return nil, l.failed("New", storage.InvalidArgument, "bucket must not be nil")
	case !strings.HasSuffix(prefix, "/"):
		return nil, l.failed("New", storage.InvalidArgument, `prefix must end in "/"`)
	}
	if err := argument.NeedBucket(b, "New", prefix); err != nil {
		return nil, err
	}
	switch {
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

// learn remembers that an entry is in the log, and thereby that the greatest one is not trimmed.
func (l *Log) learn(number int64, id string) {
	for {
		old, now := l.known.Load(), known{number: number, id: id, at: time.Now()}
		if old != nil && (old.number > number || old.number == number && id == "") {
			now.number, now.id = old.number, old.id
		}
		if l.known.CompareAndSwap(old, &now) {
			return
		}
	}
}

// forget makes the next call of Append ask for the last entry.
func (l *Log) forget() {
	if old := l.known.Load(); old != nil {
		l.known.CompareAndSwap(old, &known{number: old.number, id: old.id})
	}
}

// look reports whether an entry that this Log has seen is there. If it is not, and was not trimmed, or
// is another one by now, look fails with Changed: the log is not the one that this Log knows.
func (l *Log) look(ctx context.Context, seen *known) (there bool, err error) {
	attrs, err := l.bucket.Attrs(ctx, l.key(seen.number))
	text := "entry %d is another one than was in the log"
	switch {
	case err == nil && (seen.id == "" || seen.id == attrs.Metadata[idName]):
		return true, nil
	case storage.CodeOf(err) == storage.ObjectNotFound:
		text = "entry %d was in the log, and is gone"
	case err != nil:
		return false, err
	}
	trimmed, err := l.Trimmed(ctx)
	if err != nil || seen.number <= trimmed {
		return false, err
	}
	return false, &storage.Error{
		Code: storage.Changed, Op: "Append", Key: l.key(seen.number), Err: fmt.Errorf(text, seen.number),
		Hint: "remove entries only with Trim: if a backup was restored, drop what was read of this log, and call New",
	}
}

// Last returns the number of the last entry, or 0 if nothing was ever appended. It lists nothing: after
// n new entries it takes about 2 log n requests. If an entry that this Log has seen was removed by
// other means than Trim, or replaced, Last fails with Changed, as [Log.Append] does.
func (l *Log) Last(ctx context.Context) (int64, error) { return l.last(ctx, time.Now()) }

// last is Last. It looks for the entry that this Log knows, unless that entry was seen after
// since.
func (l *Log) last(ctx context.Context, since time.Time) (int64, error) {
	low := int64(0)
	if seen := l.known.Load(); seen != nil {
		low = seen.number
		if !seen.at.After(since) {
			if _, err := l.look(ctx, seen); err != nil {
				return 0, err
			}
		}
	}
	for {
		last, err := l.search(ctx, low)
		if err != nil {
			return 0, err
		}
		trimmed, err := l.Trimmed(ctx)
		if err != nil {
			return 0, err
		}
		if trimmed <= last { // otherwise an entry that seemed absent may have been removed
			if last > 0 {
				l.learn(last, "")
			}
			return last, nil
		}
		low = trimmed
	}
}

// search returns the number of the last entry. low is the number of an entry, or 0, and no entry after
// it was removed. search doubles its steps up to a number without an entry, and then halves them.
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
