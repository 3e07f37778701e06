package commit

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/backoff"
	"github.com/omnibucket/storage/internal/ctxtime"
)

const (
	// idName is the metadata that identifies the call of Append that wrote an entry.
	idName = "commit"
	// maxConflicts is how often Append starts over because another writer was faster: for about ten minutes.
	maxConflicts = 1000
	// fresh is how long Append relies on the entry that it knows: afterwards others may have trimmed the
	// log twice beyond it.
	fresh = time.Minute
	// decideTimeout bounds requests that continue after the end of a ctx.
	decideTimeout = 10 * time.Second
)

// Append appends what next returns, and returns its number. next gets the number of the last entry, or 0,
// and what it returns follows that entry or is not stored. If another writer was faster, Append calls
// next again, until ctx is done. After 1,000 faster writers it fails with Unavailable. If next fails, Append
// returns its error, and stores nothing. To refuse what conflicts with the entries of others, next reads
// them:
//
//	number, err := log.Append(ctx, func(last int64) ([]byte, error) {
//		if err := table.catchUp(ctx, log, last); err != nil {
//			return nil, err
//		}
//		return table.commit() // or an error, because a row is gone
//	})
//
// It takes three requests if nobody else has appended since the last call, and two more if that was over a minute
// ago. Data of more than [MaxEntry] bytes fails with TooLarge.
//
// Before the first call of next, Append looks for the last entry that this Log has seen. An expiry rule may have
// removed it, or a restored backup may have replaced it. Then Append stores nothing and fails with Changed, each time:
// no reader would see an entry after a gap. A new Log takes the log as it is.
//
// If the response to the write is lost, Append finds out whether the entry is stored. If it cannot within ten
// seconds, errors.Is(err, [storage.OutcomeUnknown]): the later entries show whether it is. The error is the same if
// others have trimmed the log twice beyond the entry while it was written.
func (l *Log) Append(ctx context.Context, next func(last int64) ([]byte, error)) (int64, error) {
	begun := time.Now()
	last, err := l.before(ctx, begun)
	for conflicts := 0; err == nil; conflicts++ {
		data, failed := next(last)
		switch {
		case failed != nil:
			return 0, failed
		case len(data) > MaxEntry:
			return 0, l.failed("Append", storage.TooLarge, fmt.Sprintf("entry must have at most %d bytes", MaxEntry))
		}
		switch won, err := l.put(ctx, last+1, data); {
		case err != nil:
			return 0, err
		case won:
			return last + 1, nil
		}
		if conflicts == maxConflicts {
			e := l.failed("Append", storage.Unavailable, "other writers were faster each time")
			e.Hint = "too many writers append to this log: let one process append for several, or use several logs"
			return 0, e
		}
		if err := ctxtime.Sleep(ctx, mathrand.N(backoff.FirstDelay<<min(conflicts, 5))); err != nil {
			return 0, l.interrupted("Append", err)
		}
		last, err = l.last(ctx, begun)
	}
	return 0, err
}

// before returns the entry after which Append makes its first attempt. It is the entry that this Log knows,
// if that was seen lately and still exists, and otherwise the last entry of the log.
func (l *Log) before(ctx context.Context, begun time.Time) (int64, error) {
	seen := l.known.Load()
	if seen == nil || begun.Sub(seen.at) > fresh {
		return l.last(ctx, begun)
	}
	switch there, err := l.look(ctx, seen); {
	case err != nil:
		return 0, err
	case there:
		return seen.number, nil
	}
	l.forget()
	return l.last(ctx, time.Time{}) // it was trimmed
}

// put stores an entry, unless the number is taken. All attempts have the same id and bytes: however
// late a lost one arrives, the entry is the same.
func (l *Log) put(ctx context.Context, number int64, data []byte) (won bool, err error) {
	id, policy, tries := rand.Text(), backoff.New(0, 0, 0), backoff.Tries{}
	for unsure := false; ; {
		_, err := l.bucket.Upload(
			ctx, l.key(number), bytes.NewReader(data), storage.IfAbsent(),
			storage.WithMetadata(map[string]string{idName: id}),
		)
		taken := storage.CodeOf(err) == storage.PreconditionFailed
		unsure = unsure || errors.Is(err, storage.OutcomeUnknown)
		switch {
		case err == nil:
			return true, l.confirm(ctx, number, id)
		case taken && !unsure: // another writer has the number, perhaps because this entry was stored and trimmed
			return false, l.confirm(ctx, number, "")
		case !unsure:
			return false, err
		}
		stored, by, unread := l.writer(ctx, number)
		switch {
		case unread != nil:
			return false, l.unknown(number, errors.Join(err, unread))
		case stored: // another writer may have stored it after this entry was trimmed
			return by == id, l.confirm(ctx, number, by)
		}
		delay, again := policy.Allow(&tries, false, 0)
		if !again || ctxtime.Sleep(ctx, delay) != nil {
			return false, l.unknown(number, err)
		}
	}
}

// unknown returns the error of an entry that may have been stored, or may still be.
func (l *Log) unknown(number int64, cause error) error {
	return &storage.Error{
		Code: storage.OutcomeUnknown, Op: "Append", Key: l.key(number), Unknown: true, Err: cause,
		Hint: "read the log from this entry on, to see whether it was appended",
	}
}

// writer returns the id of the call that wrote an entry.
func (l *Log) writer(ctx context.Context, number int64) (stored bool, id string, err error) {
	attrs, err := persist(
		ctx, func(ctx context.Context) (*storage.Attrs, error) { return l.bucket.Attrs(ctx, l.key(number)) },
	)
	switch {
	case storage.CodeOf(err) == storage.ObjectNotFound:
		return false, "", nil
	case err != nil:
		return false, "", err
	}
	return true, attrs.Metadata[idName], nil
}

// confirm fails unless an entry that was just stored is the first of its number. If an entry with that
// number may have been removed, another writer may have had the number: this writer was paused while
// others trimmed twice.
func (l *Log) confirm(ctx context.Context, number int64, id string) error {
	trimmed, err := persist(ctx, l.Trimmed)
	switch {
	case err != nil:
		return l.unknown(number, err)
	case number <= trimmed:
		l.forget()
		return l.unknown(number, errors.New("the log was trimmed beyond this entry while it was written"))
	}
	l.learn(number, id)
	return nil
}

// persist calls do until it succeeds, or fails for a reason that lasts: for ten seconds, also if ctx has ended.
func persist[T any](ctx context.Context, do func(ctx context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), decideTimeout)
	defer cancel()
	policy, tries := backoff.New(0, 0, 0), backoff.Tries{}
	for {
		result, err := do(ctx)
		if err == nil || !storage.IsTemporary(err) {
			return result, err
		}
		delay, again := policy.Allow(&tries, false, 0)
		if !again || ctxtime.Sleep(ctx, delay) != nil {
			return result, err
		}
	}
}
