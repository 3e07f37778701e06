package mirror

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/inquiry"
	"github.com/omnibucket/storage/internal/objectkey"
	"github.com/omnibucket/storage/internal/running"
)

const (
	// markKey is the key of the primary's mark. The mark proves that both stores were once equal.
	// An earlier version of this package stored another text under this key, in both stores. That
	// text is no valid mark.
	markKey = NotesPrefix + "pair"
	// secondClockKey is the key of a temporary object in the second store. The object exists only
	// while the clock of the second store is read.
	secondClockKey = objectkey.MirrorClock
	rolePrimary    = "primary"
)

// A mark is a small object in the primary. It proves that both stores were equal at the time Since:
// the primary then had every object of the second store. The second store has no mark, so that it
// can be used without this layer.
//
// A mark is valid only if Place names the primary, which has the mark, and Second names the second
// store. A copy of the mark in another store proves nothing.
//
// A valid mark says something about an object of the second store that is older than Since: at the
// time Since, the primary had an equal object. If the primary has no equal object now, the object
// was later removed or replaced in the primary. The mark says nothing about newer objects. If the
// primary was restored from a snapshot, it has the mark that was in the snapshot. The mark then
// says nothing about objects that were written after the snapshot.
type mark struct {
	Role       string    `json:"role"`
	Place      string    `json:"place"`
	Second     string    `json:"second"`
	Generation int64     `json:"generation"` // increases by 1 with each new mark
	Since      time.Time `json:"since"`      // time by the clock of the second store
}

// pairOf returns a text for two stores of a mirror. It depends on which one is the primary.
func pairOf(primary, second string) string { return primary + "-" + second }

// matches reports whether the mark was written when the two stores were the primary and the second
// store. A store without an identity has no valid mark.
func (m mark) matches(primary, second string) bool {
	if primary == "" || m.Role != rolePrimary || m.Since.IsZero() {
		return false
	}
	return m.Place == primary && m.Second == second
}

// readMark returns the mark of a store and its text. It returns the zero mark for a store without a
// valid mark, or with the text of an earlier version of this package.
func readMark(ctx context.Context, b storage.Bucket) (m mark, text string, err error) {
	data, _, err := storage.ReadAll(ctx, b, markKey, storage.WithRange(0, maxNote))
	if errors.Is(err, storage.ObjectNotFound) || errors.Is(err, storage.RangeNotSatisfiable) {
		return mark{}, "", nil
	}
	if err != nil {
		return mark{}, "", err
	}
	if err := argument.CheckForm("mirror.RepairAll", markKey, data, lastForm); err != nil {
		return mark{}, "", err
	}

	if json.Unmarshal(data, &m) != nil {
		m = mark{}
	}
	return m, string(data), nil
}

// readMarks reads the marks in both stores. It finds out whether the primary's mark is valid, and
// whether the roles of the stores were swapped.
func (c *comparison) readMarks(ctx context.Context) (err error) {
	c.mark, c.primaryMarkText, err = readMark(ctx, c.stores.primary)
	if err != nil {
		return err
	}
	secondMark, text, err := readMark(ctx, c.stores.second.Bucket)
	if err != nil {
		return err
	}

	c.secondMarkText = text
	c.proven = c.mark.matches(c.stores.place, c.stores.secondPlace)
	c.swapped = secondMark.matches(c.stores.secondPlace, c.stores.place)
	return nil
}

// markEqual records that both stores are equal now, by a mark: a small object in the primary. It
// then removes from the second store the notes and the mark that it has because it was the primary
// before, or because an earlier version of this package wrote one mark to both stores.
func (c *comparison) markEqual(ctx context.Context) error {
	s := c.stores
	// The mark proves something about each object that is older than its time.
	since, err := s.secondTime(ctx, c.newest)
	if err != nil {
		return err
	}

	data, err := json.Marshal(mark{
		Role:       rolePrimary,
		Place:      s.place,
		Second:     s.secondPlace,
		Generation: c.mark.Generation + 1,
		Since:      since,
	})
	if err != nil {
		return err
	}
	if _, err := s.primary.Upload(ctx, markKey, strings.NewReader(string(data))); err != nil {
		return err
	}

	if err := c.endNotes(ctx); err != nil {
		return err
	}

	isOfEarlierVersion := c.secondMarkText != "" && c.secondMarkText == c.primaryMarkText
	if c.swapped || isOfEarlierVersion {
		return s.second.Bucket.Remove(ctx, markKey)
	}
	return nil
}

// secondTime returns the time by the clock of the second store, which is that of a temporary object that
// it writes there. It waits until that time is later than newest, the time of the newest object, so that
// all objects are older than a mark with this time.
func (s *stores) secondTime(ctx context.Context, newest time.Time) (time.Time, error) {
	// A longer wait does not help, because the time of the newest object is then probably wrong.
	const maxWait = time.Second
	for wait := time.Millisecond; ; wait *= 2 {
		now, err := inquiry.Now(ctx, s.second.Bucket, secondClockKey)
		if err != nil {
			return time.Time{}, err
		}
		if now.After(newest) || wait > maxWait {
			// An error does not matter: listings hide the temporary object, and the next call replaces it.
			_ = s.second.Bucket.Remove(ctx, secondClockKey)
			return now, nil
		}
		if err := running.Sleep(ctx, wait); err != nil {
			return time.Time{}, err
		}
	}
}
