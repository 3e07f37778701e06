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

// maxBatch is the largest number of entries that are read in parallel.
const maxBatch = 8

// Read returns one entry, or fails with ObjectNotFound if the entry does not exist yet, or was
// trimmed.
func (l *Log) Read(ctx context.Context, number int64) (Entry, error) {
	entries, err := l.readEntries(ctx, "Read", number, 1)
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
	return func(yield func(Entry, error) bool) { l.yieldFrom(ctx, "From", number, yield) }
}

// Follow yields entries as From does, and then looks for the next one after each interval. Each look
// takes two requests. Follow never ends without an error: if ctx is done, it yields that of ctx.
func (l *Log) Follow(ctx context.Context, number int64, interval time.Duration) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		if interval <= 0 {
			yield(Entry{}, l.failed("Follow", storage.InvalidArgument, "interval must be positive"))
			return
		}
		next := number
		for {
			var ok bool
			next, ok = l.yieldFrom(ctx, "Follow", next, yield)
			if !ok {
				return
			}
			if err := running.Sleep(ctx, interval); err != nil {
				yield(Entry{}, l.interrupted("Follow", err))
				return
			}
		}
	}
}

// yieldFrom yields the entries from the given number to the end of the log, and returns the number
// that follows the last one. ok is false after an error, or if the caller stops the iteration.
func (l *Log) yieldFrom(
	ctx context.Context, op string, number int64, yield func(Entry, error) bool,
) (next int64, ok bool) {
	next = number
	for size := 1; ; size = min(2*size, maxBatch) {
		entries, err := l.readEntries(ctx, op, next, size)
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

// readEntries reads at most size entries in parallel, from number first up to the first entry that
// does not exist yet. If a read fails, it returns the error together with the entries before it.
func (l *Log) readEntries(ctx context.Context, op string, first int64, size int) ([]Entry, error) {
	if first < 1 {
		return nil, l.failed(op, storage.InvalidArgument, "number must be at least 1")
	}

	entries := make([]Entry, size)
	ids := make([]string, size)
	errs := running.All(size, size, func(i int) (err error) {
		entries[i], ids[i], err = l.readEntry(ctx, first+int64(i))
		return err
	})

	// The first entry that failed ends the result, because the reader must not miss one.
	count := 0
	for count < size && errs[count] == nil {
		count++
	}

	// Trimmed must be called after the reads. As a trimmed entry stays trimmed, an entry that is not
	// trimmed now was not trimmed when it was read, either.
	trimmed, err := l.Trimmed(ctx)
	if err != nil {
		return nil, err
	}
	if first <= trimmed {
		failure := l.failed(op, storage.ObjectNotFound, fmt.Sprintf("entry %d was trimmed", first))
		failure.Hint = fmt.Sprintf("begin with what was stored when the log was trimmed: its first entry is %d", trimmed+1)
		return nil, failure
	}

	if count > 0 {
		l.remember(first+int64(count)-1, ids[count-1])
	}
	if count == size {
		return entries, nil
	}
	if storage.CodeOf(errs[count]) == storage.ObjectNotFound {
		// The log ends before this entry.
		return entries[:count], nil
	}
	return entries[:count], errs[count]
}

// readEntry reads the object of an entry, and returns the id of the call of Append that wrote it.
func (l *Log) readEntry(ctx context.Context, number int64) (entry Entry, id string, err error) {
	r, err := l.bucket.Download(ctx, l.key(number))
	if err != nil {
		return Entry{}, "", err
	}
	// Close of a Reader always returns nil.
	defer r.Close()

	attrs := r.Attrs()
	if attrs.Size > MaxEntry {
		return Entry{}, "", l.failed("Read", storage.TooLarge, fmt.Sprintf("entry %d has %d bytes", number, attrs.Size))
	}
	data, err := io.ReadAll(r)
	return Entry{Number: number, Data: data, Modified: attrs.Modified}, attrs.Metadata[idName], err
}
