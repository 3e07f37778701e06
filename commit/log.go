// Package commit keeps a log in a bucket. A log has numbered entries, to which several processes
// append, as table formats do. It needs no server beside the store.
//
// An entry is one object. Its key ends in its number, in 20 digits, and its content is the data
// that was appended. Numbers begin at 1 and have no gaps. If several writers try to store the same
// number, the store accepts one of them. The other writers read that entry, and try the next
// number. If the response to a write is lost, the id in the metadata of the entry shows who wrote
// it. The log needs [storage.ConditionalCreate] and [storage.Metadata], and [Log.Trim] also
// [storage.ConditionalUpdate]. In a bucket without them, it fails with Unsupported.
//
// All operations together are linearizable. For one object that is replaced, such as the pointer to
// the current state of a table, use [storage.Update].
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
)

// MaxEntry is the size of the largest entry, in bytes. To append more data, store it in an object,
// and put the key of that object into the entry.
const MaxEntry = 16 << 20

// A Log reads and appends to the log in one folder of a bucket. Its methods may be called
// concurrently.
type Log struct {
	bucket storage.ReadWriter
	prefix string
	known  atomic.Pointer[known] // the last entry that this Log has seen, or nil
}

// A known is the entry with the greatest number that this Log has seen.
type known struct {
	number int64
	id     string // id of the call of Append that wrote the entry; "" if not known
	// Time at which this Log last saw this entry or an earlier entry in the log. Trim removes the
	// oldest entries first. If an earlier entry still existed, this entry was not trimmed yet.
	at time.Time
}

// An Entry is one entry of a log, as [Log.Read], [Log.From] and [Log.Follow] return it.
type Entry struct {
	Number   int64 // from 1
	Data     []byte
	Modified time.Time // time at which it was appended, by the clock of the store
}

// New returns the log under prefix, which must end in "/", without making a request. A log without
// entries has no objects, so it need not be created. Other objects under prefix do no harm, unless
// the rest of their key is 20 digits or "trimmed". If b is not a bucket of this library, New fails
// with Unsupported.
func New(b storage.ReadWriter, prefix string) (*Log, error) {
	l := &Log{bucket: b, prefix: prefix}
	if b == nil {
		return nil, l.failed("New", storage.InvalidArgument, "bucket must not be nil")
	}
	if !strings.HasSuffix(prefix, "/") {
		return nil, l.failed("New", storage.InvalidArgument, `prefix must end in "/"`)
	}
	if err := argument.NeedBucket(b, "New", prefix); err != nil {
		return nil, err
	}
	if !storage.Supports(b, storage.ConditionalCreate) {
		return nil, l.failed("New", storage.Unsupported, "a log needs IfAbsent on Upload")
	}
	if !storage.Supports(b, storage.Metadata) {
		return nil, l.failed("New", storage.Unsupported, "a log needs WithMetadata")
	}
	return l, nil
}

// failed returns an error of an operation on the log.
func (l *Log) failed(op string, code storage.Code, text string) *storage.Error {
	return &storage.Error{Code: code, Op: op, Key: l.prefix, Err: errors.New(text)}
}

// interrupted returns the error of an operation whose ctx has ended.
func (l *Log) interrupted(op string, cause error) error {
	return l.failed(op, argument.ContextCode(cause), "interrupted while it waited")
}

// key returns the key of an entry.
func (l *Log) key(number int64) string { return fmt.Sprintf("%s%020d", l.prefix, number) }

// remember records that an entry was just seen in the log. id is "" if the id of the entry is not known.
// As Trim removes the oldest entries first, no later entry was trimmed yet, either.
func (l *Log) remember(number int64, id string) {
	for {
		old := l.known.Load()
		latest := known{number: number, id: id, at: time.Now()}
		if old != nil && old.isBetter(number, id) {
			// The old entry is later, or it is the same entry and may have an id. So it is still in the
			// log, and only its time is renewed.
			latest.number = old.number
			latest.id = old.id
		}
		if l.known.CompareAndSwap(old, &latest) {
			return
		}
		// Another goroutine has changed l.known meanwhile.
	}
}

// isBetter reports whether k tells more than the given entry: by a greater number, or at the same
// number if id is empty.
func (k *known) isBetter(number int64, id string) bool {
	if k.number != number {
		return k.number > number
	}
	return id == ""
}

// forget makes the next call of Append search for the last entry.
func (l *Log) forget() {
	if old := l.known.Load(); old != nil {
		l.known.CompareAndSwap(old, &known{number: old.number, id: old.id})
	}
}

// checkKnown checks that this is still the log that was read before, by an entry that this Log has
// seen. exists is false only if Trim has removed the entry. If the entry has vanished in another way or
// was replaced, checkKnown fails with Changed.
func (l *Log) checkKnown(ctx context.Context, last *known) (exists bool, err error) {
	problem, err := l.findProblem(ctx, last)
	if err != nil {
		return false, err
	}
	if problem == "" {
		return true, nil
	}

	// That is no problem if Trim has removed the entry.
	trimmed, err := l.Trimmed(ctx)
	if err != nil {
		return false, err
	}
	if last.number <= trimmed {
		return false, nil
	}
	return false, &storage.Error{
		Code: storage.Changed,
		Op:   "Append",
		Key:  l.key(last.number),
		Err:  errors.New(problem),
		Hint: "remove entries only with Trim: if a backup was restored, drop what was read of this log, and call New",
	}
}

// findProblem says what is wrong with an entry that was in the log. It returns "" if the entry is still
// there.
func (l *Log) findProblem(ctx context.Context, last *known) (string, error) {
	attrs, err := l.bucket.Attrs(ctx, l.key(last.number))
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return fmt.Sprintf("entry %d was in the log, and is gone", last.number), nil
	}
	if err != nil {
		return "", err
	}
	if last.id != "" && last.id != attrs.Metadata[idName] {
		return fmt.Sprintf("entry %d is another one than was in the log", last.number), nil
	}
	return "", nil
}

// Last returns the number of the last entry, or 0 if nothing was ever appended. Last makes no
// listing. After n new entries, it takes about 2 log n requests. If an entry that this Log has seen
// was replaced, or was removed by other means than Trim, Last fails with Changed.
func (l *Log) Last(ctx context.Context) (int64, error) { return l.lastNumber(ctx, time.Now()) }

// lastNumber returns the number of the last entry of the log. If this Log has seen an entry since
// the time start, it is taken to exist still, and otherwise lastNumber checks that.
func (l *Log) lastNumber(ctx context.Context, start time.Time) (int64, error) {
	low, err := l.searchStart(ctx, start)
	if err != nil {
		return 0, err
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
		if trimmed > last {
			// The log was trimmed during the search, which may have missed entries, so search again after
			// the trimmed ones.
			low = trimmed
			continue
		}
		if last > 0 {
			l.remember(last, "")
		}
		return last, nil
	}
}

// searchStart returns the number after which lastNumber searches: that of the last entry that this
// Log has seen, or 0. If the entry was seen before the time start, searchStart checks it, and fails
// with Changed if this is another log than before.
func (l *Log) searchStart(ctx context.Context, start time.Time) (int64, error) {
	seen := l.known.Load()
	if seen == nil {
		return 0, nil
	}
	if seen.at.After(start) {
		return seen.number, nil
	}

	// Whether the entry exists does not matter: if it was trimmed, lastNumber searches after the
	// trimmed entries.
	_, err := l.checkKnown(ctx, seen)
	return seen.number, err
}

// search returns the number of the last entry, where low is 0 or the number of an entry after which
// none was trimmed yet. It doubles its steps until a number has no entry, and then halves the range
// in which the last entry is.
func (l *Log) search(ctx context.Context, low int64) (int64, error) {
	// Double the steps until a number has no entry.
	var high int64
	for step := int64(1); ; step *= 2 {
		high = low + step
		exists, err := l.bucket.Exists(ctx, l.key(high))
		if err != nil {
			return 0, err
		}
		if !exists {
			break
		}
		low = high
	}

	// Halve the range: low has an entry, and high has none.
	for high-low > 1 {
		middle := low + (high-low)/2
		exists, err := l.bucket.Exists(ctx, l.key(middle))
		if err != nil {
			return 0, err
		}
		if exists {
			low = middle
		} else {
			high = middle
		}
	}
	return low, nil
}
