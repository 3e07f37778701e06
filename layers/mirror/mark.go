package mirror

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/ctxtime"
	"github.com/omnibucket/storage/internal/layerkeys"
	"github.com/omnibucket/storage/internal/storeclock"
)

const (
	// markKey is the key of the mark in the primary. An earlier version of this package kept the
	// same text at this key in both stores.
	markKey = NotesPrefix + "pair"
	// secondClockKey is the key of an object that exists in the second store only while its clock
	// is read.
	secondClockKey = layerkeys.MirrorClock
	rolePrimary    = "primary"
)

// A mark is a small object in the primary. It proves that both stores were equal at the time Since:
// every object that the second store had before Since was then also in the primary. The second
// store has no mark, so that it can be used without this layer.
//
// A mark is valid only if Place names its store, which must be the primary, and Second names the
// second store. A copy of the mark in another store proves nothing. If an object of the second
// store is older than Since, and the primary lacks it or has a different one, the primary itself
// has removed or replaced it later. If the primary was restored from a snapshot, its mark is as old
// as the snapshot. Objects in the second store that are newer than Since then prove nothing.
type mark struct {
	Role       string    `json:"role"`
	Place      string    `json:"place"`
	Second     string    `json:"second"`
	Generation int64     `json:"generation"` // counts the marks of these two stores
	Since      time.Time `json:"since"`      // time by the clock of the second store
}

// pairOf returns a text for two stores of a mirror. It depends on which one is the primary.
func pairOf(primary, second string) string { return primary + "-" + second }

func (m mark) is(primary, second string) bool {
	return m.Role == rolePrimary && primary != "" && m.Place == primary && m.Second == second && !m.Since.IsZero()
}

// readMark returns the mark that a store has at markKey. If there is none, or only a text of an
// earlier version, it returns the zero mark.
func readMark(ctx context.Context, b storage.Bucket) (m mark, text string, err error) {
	data, _, err := storage.ReadAll(ctx, b, markKey, storage.WithRange(0, maxNote))
	if errors.Is(err, storage.ObjectNotFound) || errors.Is(err, storage.RangeNotSatisfiable) {
		return mark{}, "", nil
	}
	if err == nil && json.Unmarshal(data, &m) != nil {
		m = mark{}
	}
	return m, string(data), err
}

// prove reads the marks in both stores. It finds out whether the primary's mark is valid, and
// whether the roles of the stores were swapped.
func (c *comparison) prove(ctx context.Context) (err error) {
	if c.mark, c.ourText, err = readMark(ctx, c.stores.primary); err != nil {
		return err
	}
	theirs, text, err := readMark(ctx, c.stores.second.Bucket)
	c.theirText = text
	c.proven = c.mark.is(c.stores.place, c.stores.secondPlace)
	c.swapped = theirs.is(c.stores.secondPlace, c.stores.place)
	return err
}

// join writes a mark, because both stores are equal now. From the second store, it removes the
// notes and the mark that remain from the time when that store was the primary. It also removes the
// mark of an earlier version there.
func (c *comparison) join(ctx context.Context) error {
	s := c.stores
	since, err := s.secondNow(ctx, c.newest)
	if err != nil {
		return err
	}
	data, err := json.Marshal(mark{rolePrimary, s.place, s.secondPlace, c.mark.Generation + 1, since})
	if err != nil {
		return err
	}
	if _, err := s.primary.Upload(ctx, markKey, strings.NewReader(string(data))); err != nil {
		return err
	}
	if err := c.endNotes(ctx); err != nil {
		return err
	}
	if c.swapped || c.theirText != "" && c.theirText == c.ourText {
		return s.second.Bucket.Remove(ctx, markKey)
	}
	return nil
}

// secondNow returns the time by the clock of the second store. It waits until that time is later
// than newest, the time of the newest object. Otherwise objects of the same second would seem to be
// written after the mark.
func (s *stores) secondNow(ctx context.Context, newest time.Time) (now time.Time, err error) {
	for wait := time.Millisecond; ; wait *= 2 {
		if now, err = storeclock.Now(ctx, s.second.Bucket, secondClockKey); err != nil {
			return now, err
		}
		if now.After(newest) || wait > time.Second { // after a second, newest is probably in the future
			break
		}
		if err := ctxtime.Sleep(ctx, wait); err != nil {
			return now, err
		}
	}
	_ = s.second.Bucket.Remove(ctx, secondClockKey) // ignored: the object is hidden, and the next call replaces it
	return now, nil
}
