package commit

import (
	"context"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/running"
)

// together is the number of entries that are read in parallel.
const together = 8

// Read returns one entry. If the entry does not exist yet, or was trimmed, Read fails with
// ObjectNotFound.
func (l *Log) Read(ctx context.Context, number int64) (Entry, error) {
	entries, err := l.batch(ctx, "Read", number, 1)
	if err != nil {
		return Entry{}, err
	}
	if len(entries) == 0 {
		return Entry{}, l.failed("Read", storage.ObjectNotFound, fmt.Sprintf("entry %d has not been appended", number))
	}
	return entries[0], nil
}

// From yields the entry with the given number and all later entries, in order. If From fails, the
// last value is the error. If the next entry was trimmed, the error is ObjectNotFound. After this
// error, read the state that was stored before [Log.Trim], and continue after the number that
// [Log.Trimmed] returns. From reads up to 8 entries in parallel into memory.
func (l *Log) From(ctx context.Context, number int64) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) { l.yield(ctx, "From", number, yield) }
}

// Follow yields entries as From does, and then waits for new entries. After each interval, it looks
// for the next entry, which takes two requests. Follow ends only with an error. If ctx is done, it
// also ends with an error.
func (l *Log) Follow(ctx context.Context, number int64, interval time.Duration) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		if interval <= 0 {
			yield(Entry{}, l.failed("Follow", storage.InvalidArgument, "interval must be positive"))
			return
		}
		for next, hasMore := number, true; ; {
			next, hasMore = l.yield(ctx, "Follow", next, yield)
			if !hasMore {
				return
			}
			if err := running.Sleep(ctx, interval); err != nil {
				yield(Entry{}, l.interrupted("Follow", err))
				return
			}
		}
	}
}

// This method yields the entries from the number next to the end of the log. It returns, as after,
// the number that follows the last entry. It returns false, as more, after an error, or if the
// caller stops the iteration.
func (l *Log) yield(
	ctx context.Context, op string, next int64, yield func(Entry, error) bool,
) (after int64, more bool) {
	for size := 1; ; size = min(2*size, together) {
		entries, err := l.batch(ctx, op, next, size)
		for _, entry := range entries {
			if !yield(entry, nil) {
				return next, false
			}
			next++
		}
		if err != nil {
			yield(Entry{}, err)
			return next, false
		}
		if len(entries) < size {
			return next, true
		}
	}
}

// batch reads at most size entries. first is the number of the first of these
// entries. If an entry does not exist yet, batch stops before that entry. If a read fails, batch
// returns the error together with the entries before it.
func (l *Log) batch(ctx context.Context, op string, first int64, size int) ([]Entry, error) {
	if first < 1 {
		return nil, l.failed(op, storage.InvalidArgument, "number must be at least 1")
	}
	entries := make([]Entry, size)
	ids := make([]string, size)
	errs := running.All(size, size, func(i int) (err error) {
		entries[i], ids[i], err = l.get(ctx, first+int64(i))
		return err
	})
	n := 0
	var err error
	for n < size && errs[n] == nil {
		n++
	}

	if n < size && storage.CodeOf(errs[n]) != storage.ObjectNotFound {
		err = errs[n]
	}
	// Trimmed must be called after the reads. A trimmed entry stays trimmed. If an entry is not
	// trimmed now, the entry was not trimmed when it was read, either.
	trimmed, readErr := l.Trimmed(ctx)
	if readErr != nil {
		return nil, readErr
	}
	if first <= trimmed {
		e := l.failed(op, storage.ObjectNotFound, fmt.Sprintf("entry %d was trimmed", first))
		e.Hint = fmt.Sprintf("begin with what was stored when the log was trimmed: its first entry is %d", trimmed+1)
		return nil, e
	}

	if n > 0 {
		l.learn(first+int64(n)-1, ids[n-1])
	}
	return entries[:n], err
}

// get reads the object of an entry, and the id of the call that appended it.
func (l *Log) get(ctx context.Context, number int64) (_ Entry, id string, _ error) {
	r, err := l.bucket.Download(ctx, l.key(number))
	if err != nil {
		return Entry{}, "", err
	}
	defer r.Close() // always nil
	attrs := r.Attrs()
	if attrs.Size > MaxEntry {
		return Entry{}, "", l.failed("Read", storage.TooLarge, fmt.Sprintf("entry %d has %d bytes", number, attrs.Size))
	}
	data, err := io.ReadAll(r)
	return Entry{Number: number, Data: data, Modified: attrs.Modified}, attrs.Metadata[idName], err
}
