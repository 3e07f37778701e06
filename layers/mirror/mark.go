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
	// markKey is the key of a mark. An earlier version of this package kept the same text under it in both
	// stores.
	markKey = NotesPrefix + "pair"
	// secondClockKey is the key of an object that the second store has while its clock is read.
	secondClockKey = layerkeys.MirrorClock
	rolePrimary    = "primary"
)

// A mark in the primary says until when the second store had no object that the primary lacked. The second store has
// no mark: it needs nothing of this layer if it is opened by itself, and a copy of a mark proves nothing.
//
// It proves this only in the store that Place names, as the primary, and beside the store that Second names. A copy
// of the mark in another store proves nothing. In a store that was restored from a snapshot, the mark is as old as
// the snapshot. When the mark was written, the primary had each object that the second store has had since before
// Since. If the primary lacks such an object, or has another one, it has removed or written it since then. A later
// object may be newer than the snapshot.
type mark struct {
	Role       string    `json:"role"`
	Place      string    `json:"place"`
	Second     string    `json:"second"`
	Generation int64     `json:"generation"` // counts the marks of these stores
	Since      time.Time `json:"since"`      // by the clock of the second store
}

// pairOf names the two stores of a mirror in their roles.
func pairOf(primary, second string) string { return primary + "-" + second }

func (m mark) is(primary, second string) bool {
	return m.Role == rolePrimary && primary != "" && m.Place == primary && m.Second == second && !m.Since.IsZero()
}

// readMark returns the mark that a store has at markKey. It returns the zero mark if there is none, or the
// text of an earlier version.
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

// prove reads the marks, and finds out what they prove.
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

// join writes the mark of two stores that are equal, and removes the marks and notes that the second store has from
// another role or version.
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

// secondNow returns the time by the clock of the second store. It waits until that is later than newest, because
// objects of the same moment, or second, would seem to be written afterwards.
func (s *stores) secondNow(ctx context.Context, newest time.Time) (now time.Time, err error) {
	for wait := time.Millisecond; ; wait *= 2 {
		if now, err = storeclock.Now(ctx, s.second.Bucket, secondClockKey); err != nil {
			return now, err
		}
		if now.After(newest) || wait > time.Second { // newest is in the future
			break
		}
		if err := ctxtime.Sleep(ctx, wait); err != nil {
			return now, err
		}
	}
	_ = s.second.Bucket.Remove(ctx, secondClockKey) // an object that stays is hidden, and the next call replaces it
	return now, nil
}
