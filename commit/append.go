package commit

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/running"
)

const (
	// idName is the name of a metadata value of each entry. The value is the id of the call of
	// Append that wrote the entry.
	idName = "commit"
	// maxConflicts is how many times Append starts over because another writer was faster. That
	// takes about ten minutes.
	maxConflicts = 1000
	// maxKnownAge is how long Append relies on the last entry that it has seen. After that time, other
	// writers may have trimmed the log twice, so that the entry may no longer exist.
	maxKnownAge = time.Minute
	// decideTimeout limits the time of requests that continue after the caller's ctx has ended.
	decideTimeout = 10 * time.Second
)

// Append calls next with the number of the last entry, or 0, and appends an entry with the bytes
// that next returns. It returns the number of the new entry, which is stored only if it directly
// follows that last entry. If another writer was faster, Append calls next again, until ctx is
// done. After 1,000 faster writers, it fails with Unavailable. If next fails, Append stores nothing
// and returns the error of next. To detect conflicts, next can read the entries of other writers:
//
//	number, err := log.Append(ctx, func(last int64) ([]byte, error) {
//		if err := table.catchUp(ctx, log, last); err != nil {
//			return nil, err
//		}
//		return table.commit() // or an error, because a row is gone
//	})
//
// Append takes three requests if nobody else has appended since the last call, and two more if that
// call was over a minute ago. If the data has more than [MaxEntry] bytes, it fails with TooLarge.
//
// Before the first call of next, Append checks the last entry that this Log has seen. If a
// lifecycle rule has removed that entry, or a restored backup has replaced it, Append stores
// nothing and fails with Changed. So does every later call, because no reader would see an entry
// after a gap. A new Log accepts the log as it is.
//
// If the response to the write is lost, Append finds out whether the entry was stored. If it cannot
// find out within ten seconds, errors.Is(err, [storage.OutcomeUnknown]) is true, and the caller can
// find out by reading the later entries. Append also fails with OutcomeUnknown if the new entry may
// already have been trimmed, for example because other writers called [Log.Trim] twice during the
// call.
func (l *Log) Append(ctx context.Context, next func(last int64) ([]byte, error)) (int64, error) {
	start := time.Now()
	last, err := l.predecessor(ctx, start)
	if err != nil {
		return 0, err
	}

	// Each round tries to store the entry after the last one, until no other writer is faster.
	for conflicts := 0; ; conflicts++ {
		data, err := next(last)
		if err != nil {
			return 0, err
		}
		if len(data) > MaxEntry {
			return 0, l.failed("Append", storage.TooLarge, fmt.Sprintf("entry must have at most %d bytes", MaxEntry))
		}
		won, err := l.put(ctx, last+1, data)
		if err != nil {
			return 0, err
		}
		if won {
			return last + 1, nil
		}

		if conflicts == maxConflicts {
			failure := l.failed("Append", storage.Unavailable, "other writers were faster each time")
			failure.Hint = "too many writers append to this log: let one process append for several, or use several logs"
			return 0, failure
		}
		if err := running.Sleep(ctx, running.ConflictDelay(conflicts)); err != nil {
			return 0, l.interrupted("Append", err)
		}
		last, err = l.lastNumber(ctx, start)
		if err != nil {
			return 0, err
		}
	}
}

// predecessor returns the number of the entry after which Append makes its first attempt. That is
// the entry that this Log has seen in the minute before start, if it still exists, and otherwise
// the last entry of the log.
func (l *Log) predecessor(ctx context.Context, start time.Time) (int64, error) {
	seen := l.known.Load()
	isRecent := seen != nil && start.Sub(seen.at) <= maxKnownAge
	if !isRecent {
		return l.lastNumber(ctx, start)
	}
	exists, err := l.checkKnown(ctx, seen)
	if err != nil {
		return 0, err
	}
	if exists {
		return seen.number, nil
	}

	// The entry was trimmed, so search for the last one. The zero time tells lastNumber that no entry needs
	// a check.
	l.forget()
	return l.lastNumber(ctx, time.Time{})
}

// put stores an entry with this number. won is false if another writer has stored an entry with the
// number before. If the log was trimmed up to the number meanwhile, confirm finds that out, and put
// fails.
func (l *Log) put(ctx context.Context, number int64, data []byte) (won bool, err error) {
	d := draft{number: number, id: rand.Text(), data: data}
	err = l.upload(ctx, d)
	if err == nil {
		return true, l.confirm(ctx, number, d.id)
	}
	if errors.Is(err, storage.OutcomeUnknown) {
		return l.resolve(ctx, d, err)
	}
	if storage.CodeOf(err) == storage.PreconditionFailed {
		// Another writer has stored an entry with this number. But if the log was trimmed up to it, an
		// earlier attempt of Upload may have stored the entry of this call before, and Trim removed it.
		return false, l.confirm(ctx, number, "")
	}
	return false, err
}

// A draft is an entry that a call of Append tries to store. All attempts write the same id and
// bytes, so that an attempt that arrives late does no harm.
type draft struct {
	number int64
	id     string // random; it shows which call of Append has stored the entry
	data   []byte
}

// upload stores the entry if no entry with its number exists.
func (l *Log) upload(ctx context.Context, d draft) error {
	_, err := l.bucket.Upload(
		ctx, l.key(d.number), bytes.NewReader(d.data), storage.IfAbsent(),
		storage.WithMetadata(map[string]string{idName: d.id}),
	)
	return err
}

// resolve finds out which writer has stored the entry with the number of d, after the response to the
// upload of d was lost. It returns the results of put. As long as no entry is stored, it uploads d again.
func (l *Log) resolve(ctx context.Context, d draft, uploadErr error) (won bool, err error) {
	policy := running.NewDefaultPolicy()
	tries := running.Tries{}
	for {
		exists, author, readErr := l.writerOf(ctx, d.number)
		if readErr != nil {
			return false, l.errUnknown(d.number, errors.Join(uploadErr, readErr))
		}
		if exists {
			// Even if another writer has stored this entry, an earlier attempt may have stored the entry of
			// this call, and Trim may have removed it. In that case, confirm fails.
			won = author == d.id
			return won, l.confirm(ctx, d.number, author)
		}

		// Nothing is stored, so try again.
		delay, mayRetry := policy.Allow(&tries, false, 0)
		if !mayRetry || running.Sleep(ctx, delay) != nil {
			return false, l.errUnknown(d.number, uploadErr)
		}
		uploadErr = l.upload(ctx, d)
		if uploadErr == nil {
			return true, l.confirm(ctx, d.number, d.id)
		}
	}
}

// errUnknown returns the error OutcomeUnknown for an entry that may have been stored, or may be
// stored later.
func (l *Log) errUnknown(number int64, cause error) error {
	return &storage.Error{
		Code:    storage.OutcomeUnknown,
		Op:      "Append",
		Key:     l.key(number),
		Unknown: true,
		Err:     cause,
		Hint:    "read the log from this entry on, to see whether it was appended",
	}
}

// writerOf reports whether an entry is stored, and returns the id of the call of Append that wrote
// it.
func (l *Log) writerOf(ctx context.Context, number int64) (stored bool, id string, err error) {
	attrs, err := persist(ctx, func(ctx context.Context) (*storage.Attrs, error) {
		return l.bucket.Attrs(ctx, l.key(number))
	})
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return false, "", nil
	}
	if err != nil {
		return false, "", err
	}
	return true, attrs.Metadata[idName], nil
}

// confirm checks an entry that was just stored, and fails with OutcomeUnknown if the entry may have
// been trimmed meanwhile. That can happen if this writer was paused before its write, while others
// stored the same number and trimmed the log twice. id is the id of the entry, or "" if that
// is not known.
func (l *Log) confirm(ctx context.Context, number int64, id string) error {
	trimmed, err := persist(ctx, l.Trimmed)
	if err != nil {
		return l.errUnknown(number, err)
	}
	if number <= trimmed {
		l.forget()
		return l.errUnknown(number, errors.New("the log was trimmed beyond this entry while it was written"))
	}
	l.remember(number, id)
	return nil
}

// persist calls do until it succeeds or fails with an error that is not temporary, for at most ten
// seconds, even if ctx has ended.
func persist[T any](ctx context.Context, do func(ctx context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), decideTimeout)
	defer cancel()

	policy := running.NewDefaultPolicy()
	tries := running.Tries{}
	for {
		result, err := do(ctx)
		if err == nil || !storage.IsTemporary(err) {
			return result, err
		}
		// The error does not show whether the store throttles, or which delay it has asked for.
		delay, mayRetry := policy.Allow(&tries, false, 0)
		if !mayRetry || running.Sleep(ctx, delay) != nil {
			return result, err
		}
	}
}
