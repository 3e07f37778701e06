package commit

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/omnibucket/storage"
)

// A mark says which entries are not in the log any more, and which are to follow. It is one object.
type mark struct {
	removed int64 // entries up to this one may have been removed
	next    int64 // the next call of Trim removes those up to this one
}

// maxMark is more bytes than a mark has.
const maxMark = 64

func (l *Log) markKey() string { return l.prefix + "trimmed" }

// Trim removes old entries: those up to the number that the call before it had. It keeps those up to
// number until it is called with a greater one, so that a writer or reader that is slow still finds
// them. Before the call, store what a reader needs instead of them, such as the state of the table after
// entry number.
//
// If there is no such entry yet, Trim fails with InvalidArgument. If it is not greater than before, Trim only
// removes what an interrupted call has left. [Log.Trimmed] tells what has gone, also after a failure.
func (l *Log) Trim(ctx context.Context, number int64) error {
	last, err := l.Last(ctx)
	switch {
	case err != nil:
		return err
	case number < 1 || number > last:
		return l.failed("Trim", storage.InvalidArgument, "number must be that of an entry")
	}
	now, err := l.advance(ctx, number)
	if err != nil || now.removed == 0 {
		return err
	}
	var listed error
	ordered := storage.Supports(l.bucket, storage.OrderedListing)
	_, err = storage.RemoveAll(ctx, l.bucket, func(yield func(string) bool) {
		for entry, failed := range l.bucket.List(ctx, storage.WithPrefix(l.prefix), storage.WithAnyOrder()) {
			switch listed = failed; {
			case failed != nil, entry.Key > l.key(now.removed) && ordered:
				return
			case entry.Key <= l.key(now.removed) && l.isEntry(entry.Key) && !yield(entry.Key):
				return
			}
		}
	})
	return errors.Join(listed, err)
}

// advance excludes entries from the log, before the first of them is removed.
func (l *Log) advance(ctx context.Context, number int64) (now mark, err error) {
	for tries := 0; ; tries++ {
		_, err := storage.Update(ctx, l.bucket, l.markKey(), func(old []byte, attrs *storage.Attrs) (_ []byte, err error) {
			if now = (mark{}); attrs != nil {
				now, err = l.parseMark(old)
			}
			if number > now.next {
				now = mark{removed: now.next, next: number}
			}
			return fmt.Appendf(nil, "%d %d\n", now.removed, now.next), err
		})
		if !errors.Is(err, storage.OutcomeUnknown) || ctx.Err() != nil || tries == 3 {
			return now, err // else: to repeat it changes nothing more
		}
	}
}

// Trimmed returns up to which number entries were removed, or 0: the one after it is the first that
// can be read.
func (l *Log) Trimmed(ctx context.Context) (int64, error) {
	text, _, err := storage.ReadAll(ctx, l.bucket, l.markKey(), storage.WithRange(0, maxMark))
	switch {
	case storage.CodeOf(err) == storage.ObjectNotFound:
		return 0, nil
	case err != nil:
		return 0, err
	}
	now, err := l.parseMark(text)
	return now.removed, err
}

func (l *Log) parseMark(text []byte) (m mark, err error) {
	if _, err := fmt.Sscanf(string(text), "%d %d\n", &m.removed, &m.next); err != nil || m.removed < 0 || m.next <= m.removed {
		return mark{}, &storage.Error{
			Code: storage.InvalidArgument, Op: "Trimmed", Key: l.markKey(), Err: errors.New("object is not the mark of a log"),
			Hint: "pass another prefix, or remove the object if nothing was ever trimmed",
		}
	}
	return m, nil
}

// isEntry reports whether key is that of an entry.
func (l *Log) isEntry(key string) bool {
	number, err := strconv.ParseInt(key[len(l.prefix):], 10, 64)
	return err == nil && key == l.key(number)
}
