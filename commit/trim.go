package commit

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/omnibucket/storage"
)

// A mark says which entries are no longer in the log, and which will be removed next. It is one
// object.
type mark struct {
	removed int64  // entries up to this one may have been removed
	next    int64  // the next call of Trim removes the entries up to this one; 0 if there is no mark
	id      string // id of the entry next, which is in the log; a mark with another id belongs to another log
}

func (m mark) String() string { return fmt.Sprintf("%d %d %s\n", m.removed, m.next, m.id) }

// maxMark is more bytes than a mark has.
const maxMark = 128

func (l *Log) markKey() string { return l.prefix + "trimmed" }

// Trim removes old entries in two steps. It removes the entries up to the number of the call before it. It keeps
// the entries after those, up to number, until it is called with a greater number, so that a slow writer or
// reader still finds them. Before the call, store what a reader needs in their place, such as the state of the
// table after entry number.
//
// If there is no such entry yet, Trim fails with InvalidArgument. If it is not greater than before, Trim only
// removes what an interrupted call has left. [Log.Trimmed] returns what was removed, also after a failure.
//
// Trim removes what the object "trimmed" of this log says, whatever a listing has. If that object was written in
// another log, of which this one is a partial copy, Trim removes nothing and fails with Changed.
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

// errMoved is the error of a mark that another call has moved.
var errMoved = errors.New("the mark has moved")

// advance excludes entries from the log, before the first of them is removed. It returns a mark that is known to
// belong to this log.
func (l *Log) advance(ctx context.Context, number int64) (mark, error) {
	for unsure := 0; ; {
		now, err := l.ownMark(ctx)
		if err != nil || number <= now.next {
			return now, err
		}
		attrs, err := l.bucket.Attrs(ctx, l.key(number))
		if err != nil {
			return mark{}, err
		}
		to := mark{removed: now.next, next: number, id: attrs.Metadata[idName]}
		_, err = storage.Update(ctx, l.bucket, l.markKey(), func(old []byte, attrs *storage.Attrs) ([]byte, error) {
			there, err := mark{}, error(nil)
			if attrs != nil {
				there, err = l.parseMark(old)
			}
			if err == nil && there != now {
				err = errMoved
			}
			return []byte(to.String()), err
		})
		switch {
		case err == nil:
			return to, nil
		case errors.Is(err, errMoved):
		case !errors.Is(err, storage.OutcomeUnknown) || ctx.Err() != nil || unsure == 3:
			return mark{}, err
		default:
			unsure++ // the mark that is there by now shows the outcome
		}
	}
}

// ownMark returns the mark, or the zero mark if there is none. If the mark belongs to this log, the entry that it
// names is there, unless the mark has moved meanwhile. Otherwise it fails with Changed.
func (l *Log) ownMark(ctx context.Context) (mark, error) {
	now, err := l.mark(ctx)
	for {
		if err != nil || now.next == 0 {
			return now, err
		}
		attrs, failed := l.bucket.Attrs(ctx, l.key(now.next))
		switch {
		case failed == nil && attrs.Metadata[idName] == now.id:
			return now, nil
		case failed != nil && storage.CodeOf(failed) != storage.ObjectNotFound:
			return mark{}, failed
		}
		before := now
		if now, err = l.mark(ctx); err == nil && now == before {
			return mark{}, &storage.Error{
				Code: storage.Changed, Op: "Trim", Key: l.markKey(),
				Err:  fmt.Errorf("the mark is of another log: entry %d here is not the one that it names", now.next),
				Hint: "copy a log with all of its entries, or begin one below another prefix",
			}
		}
	}
}

// Trimmed returns the greatest number up to which entries were removed, or 0. The entry after it is
// the first that can be read.
func (l *Log) Trimmed(ctx context.Context) (int64, error) {
	now, err := l.mark(ctx)
	return now.removed, err
}

// mark reads the mark; the zero mark if there is none.
func (l *Log) mark(ctx context.Context) (mark, error) {
	text, _, err := storage.ReadAll(ctx, l.bucket, l.markKey(), storage.WithRange(0, maxMark))
	switch {
	case storage.CodeOf(err) == storage.ObjectNotFound:
		return mark{}, nil
	case err != nil:
		return mark{}, err
	}
	return l.parseMark(text)
}

func (l *Log) parseMark(text []byte) (mark, error) {
	var m mark
	read, _ := fmt.Sscanf(string(text), "%d %d %s", &m.removed, &m.next, &m.id)
	if read < 2 || m.removed < 0 || m.next <= m.removed || string(text) != m.String() {
		return mark{}, &storage.Error{
			Code: storage.InvalidArgument, Op: "Trimmed", Key: l.markKey(), Err: errors.New("object is not the mark of a log"),
			Hint: "pass another prefix, or remove the object if nothing was ever trimmed",
		}
	}
	return m, nil
}

// isEntry reports whether key is that of an entry.
func (l *Log) isEntry(key string) bool {
	number, err := strconv.ParseInt(strings.TrimPrefix(key, l.prefix), 10, 64)
	return err == nil && key == l.key(number)
}
