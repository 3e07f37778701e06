package commit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/omnibucket/storage"
)

// A mark records how far the log was trimmed. It is the object "trimmed" of the log. Trim removes
// entries in two steps, so a mark has two numbers.
type mark struct {
	removed int64 // entries up to this number may have been removed
	next    int64 // the next call of Trim removes the entries up to this number; 0 if never trimmed
	// id is the id of the entry with the number next. It shows to which log the mark belongs, because
	// in another log, the entry with that number has another id.
	id string
	// isFormer is true for a mark in the first stored form, which has no id.
	isFormer bool
}

// String returns the content of the object "trimmed" for the mark.
func (m mark) String() string {
	if m.isFormer {
		return fmt.Sprintf("%d %d\n", m.removed, m.next)
	}
	return fmt.Sprintf("%d %d %s\n", m.removed, m.next, m.id)
}

// maxMark is larger than the text of any mark, in bytes.
const maxMark = 128

// markKey returns the key of the object "trimmed".
func (l *Log) markKey() string { return l.prefix + "trimmed" }

// Trim marks the entries up to the given number, which the next call with a greater number removes.
// Until that call, slow writers and readers still find the marked entries. Before you call Trim,
// store what a reader needs in their place, such as the state of the table after the last of them.
//
// If the given number is below 1, or above the number of the last entry, Trim fails with
// InvalidArgument. If the number is not greater than in the previous call, Trim marks no entries,
// and only finishes the removal that an interrupted call began. Even after a failure, [Log.Trimmed]
// returns up to which number entries may have been removed.
//
// The object "trimmed" of a log records which entries are marked. If it is that of another log, for
// example after a partial copy, Trim removes nothing and fails with Changed.
func (l *Log) Trim(ctx context.Context, number int64) error {
	last, err := l.Last(ctx)
	if err != nil {
		return err
	}
	if number < 1 || number > last {
		return l.failed("Trim", storage.InvalidArgument, "number must be that of an entry")
	}

	current, err := l.advance(ctx, number)
	if err != nil {
		return err
	}
	if current.removed == 0 {
		// No earlier call has marked entries.
		return nil
	}
	return l.removeEntries(ctx, current.removed)
}

// removeEntries removes the entries up to the given number. If the bucket lists keys in order, it
// ends the listing after the last of them.
func (l *Log) removeEntries(ctx context.Context, number int64) error {
	lastKey := l.key(number)
	isOrdered := storage.Supports(l.bucket, storage.OrderedListing)

	// RemoveAll takes keys without errors, so the error of the listing is kept beside them.
	var listErr error
	keys := func(yield func(string) bool) {
		for entry, err := range l.bucket.List(ctx, storage.WithPrefix(l.prefix), storage.WithAnyOrder()) {
			if err != nil {
				listErr = err
				return
			}
			isAfterLast := entry.Key > lastKey
			if isAfterLast && isOrdered {
				return
			}
			if isAfterLast || !l.isEntry(entry.Key) {
				continue
			}
			if !yield(entry.Key) {
				return
			}
		}
	}
	_, err := storage.RemoveAll(ctx, l.bucket, keys)
	return errors.Join(listErr, err)
}

// errMoved means that another call of Trim has written a new mark.
var errMoved = errors.New("the mark has moved")

// maxUnknownWrites is how often advance repeats a write whose outcome is unknown.
const maxUnknownWrites = 3

// advance writes a new mark, the object that records how far the log was trimmed. The mark hides
// the entries up to number from readers, so that Trim can remove them. advance returns a mark that
// certainly belongs to this log.
func (l *Log) advance(ctx context.Context, number int64) (mark, error) {
	unknownWrites := 0
	for {
		current, err := l.ownMark(ctx)
		if err != nil || number <= current.next {
			return current, err
		}

		// A mark has the id of its last entry, which shows that the mark belongs to this log.
		attrs, err := l.bucket.Attrs(ctx, l.key(number))
		if err != nil {
			return mark{}, err
		}
		next := mark{removed: current.next, next: number, id: attrs.Metadata[idName]}

		err = l.replaceMark(ctx, current, next)
		if err == nil {
			return next, nil
		}
		if errors.Is(err, errMoved) {
			// Another call was faster, so the next round begins with its mark.
			continue
		}

		// Try again if the outcome of the write is unknown, but only a few times.
		if !errors.Is(err, storage.OutcomeUnknown) || ctx.Err() != nil || unknownWrites == maxUnknownWrites {
			return mark{}, err
		}
		// The next round reads the object "trimmed", which shows whether the write took effect.
		unknownWrites++
	}
}

// replaceMark replaces the mark current, which is zero if there is no object, by next. It fails
// with errMoved if the object "trimmed" has another mark meanwhile.
func (l *Log) replaceMark(ctx context.Context, current, next mark) error {
	change := func(text []byte, attrs *storage.Attrs) ([]byte, error) {
		stored := mark{}
		// Update passes nil attributes if there is no object.
		if attrs != nil {
			m, err := l.parseMark(text)
			if err != nil {
				return nil, err
			}
			stored = m
		}
		if stored != current {
			return nil, errMoved
		}
		return []byte(next.String()), nil
	}
	_, err := storage.Update(ctx, l.bucket, l.markKey(), change)
	return err
}

// ownMark returns the mark, the object that records how far this log was trimmed, or the zero mark
// if it never was. If the mark names an entry that this log lacks, the mark is of another log, and
// ownMark fails with Changed.
func (l *Log) ownMark(ctx context.Context) (mark, error) {
	current, err := l.readMark(ctx)
	if err != nil {
		return mark{}, err
	}
	for {
		if current.next == 0 {
			// The log was never trimmed.
			return current, nil
		}
		isOwn, err := l.hasEntryOf(ctx, current)
		if err != nil {
			return mark{}, err
		}
		if isOwn {
			return current, nil
		}

		// Another call may have written a new mark meanwhile. If not, the mark is of another log.
		latest, err := l.readMark(ctx)
		if err != nil {
			return mark{}, err
		}
		if latest == current {
			return mark{}, &storage.Error{
				Code: storage.Changed,
				Op:   "Trim",
				Key:  l.markKey(),
				Err:  fmt.Errorf("the mark is of another log: entry %d here is not the one that it names", current.next),
				Hint: "copy a log with all of its entries, or begin one below another prefix",
			}
		}
		current = latest
	}
}

// hasEntryOf reports whether this log has the entry that m names by its number and its id. A mark of the
// former form has no id.
func (l *Log) hasEntryOf(ctx context.Context, m mark) (bool, error) {
	attrs, err := l.bucket.Attrs(ctx, l.key(m.next))
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return m.isFormer || attrs.Metadata[idName] == m.id, nil
}

// Trimmed returns the number of the last entry that may have been removed, or 0. The first entry
// that can be read is the one after it.
func (l *Log) Trimmed(ctx context.Context) (int64, error) {
	current, err := l.readMark(ctx)
	return current.removed, err
}

// readMark reads the object "trimmed", and returns the zero mark if the log was never trimmed.
func (l *Log) readMark(ctx context.Context) (mark, error) {
	text, _, err := storage.ReadAll(ctx, l.bucket, l.markKey(), storage.WithRange(0, maxMark))
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return mark{}, nil
	}
	if err != nil {
		return mark{}, err
	}
	return l.parseMark(text)
}

// parseMark parses the content of the object "trimmed", and fails with InvalidArgument if it is not
// a mark.
func (l *Log) parseMark(text []byte) (mark, error) {
	// A mark is two numbers and an id. The former form has no id, and so only one space.
	m := mark{isFormer: bytes.Count(text, []byte(" ")) == 1}
	count, _ := fmt.Sscanf(string(text), "%d %d %s", &m.removed, &m.next, &m.id)
	hasNumbers := count >= 2

	// Formatting the values must give the same text, so that nothing else is in it.
	isMark := hasNumbers && string(text) == m.String()
	if !isMark || m.removed < 0 || m.next <= m.removed {
		return mark{}, &storage.Error{
			Code: storage.InvalidArgument,
			Op:   "Trimmed",
			Key:  l.markKey(),
			Err:  errors.New("object is not the mark of a log"),
			Hint: "pass another prefix, or remove the object if nothing was ever trimmed",
		}
	}
	return m, nil
}

// isEntry reports whether key is the key of an entry.
func (l *Log) isEntry(key string) bool {
	number, err := strconv.ParseInt(strings.TrimPrefix(key, l.prefix), 10, 64)
	return err == nil && key == l.key(number)
}
