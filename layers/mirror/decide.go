package mirror

import (
	"context"
	"errors"
	"io"
	"iter"
	"maps"
	"sync"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/crc32c"
	"github.com/omnibucket/storage/internal/keysort"
	"github.com/omnibucket/storage/internal/markerkey"
	"github.com/omnibucket/storage/internal/properties"
	"github.com/omnibucket/storage/internal/storeclock"
	"github.com/omnibucket/storage/layers/internal/otherstore"
)

// planned returns the keys of a Sorter as entries, with the Action in place of the ETag.
func planned(ctx context.Context, s *keysort.Sorter) iter.Seq2[storage.ListEntry, error] {
	return func(yield func(storage.ListEntry, error) bool) {
		for record, err := range s.Sorted(ctx) {
			if !yield(storage.ListEntry{Key: string(record.Key), ETag: string(record.Value)}, err) || err != nil {
				return
			}
		}
	}
}

// decide looks again at keys that the mark does not decide. Some are decided by a note of the primary, others by
// a note of the former primary, and some have the same content in both stores. All others are undecided.
func (c *comparison) decide(ctx context.Context) error {
	s := c.stores
	var once sync.Once
	var unread error
	return c.job.run(ctx, planned(ctx, c.doubtful), func(ctx context.Context, e storage.ListEntry) error {
		once.Do(func() {
			if c.noted, unread = c.ownNotes(ctx); unread == nil {
				unread = c.readClocks(ctx)
			}
		})
		if unread != nil {
			return unread
		}
		ctx = driver.WithLayerMetadata(ctx)
		ours, theirs, err := s.attrsOfBoth(ctx, e.Key)
		switch {
		case err != nil:
			return err
		case theirs == nil: // it was removed meanwhile
			return nil
		case c.byNote(e.Key, theirs):
			if c.dryRun && ours == nil {
				c.job.removed.Add(1)
			}
			return nil
		case ours == nil && !c.former.has(e.Key) && isMarker(e.Key, theirs.Size):
			c.job.ignored.Add(1)
			return nil
		case ours == nil && !c.former.has(e.Key):
			c.leave(e.Key)
			return nil
		}
		action := Returned
		if ours != nil {
			if same, err := s.sameContent(ctx, ours, theirs); err != nil {
				return err
			} else if same {
				action = Replaced
			} else if !c.former.has(e.Key) || c.noted.has(e.Key) {
				c.leave(e.Key)
				return nil
			} else {
				c.conflicts.Add(1)
				c.first.CompareAndSwap(nil, &e.Key)
			}
		}
		c.job.mu.Lock()
		defer c.job.mu.Unlock()
		return c.planned.Add(ctx, []byte(e.Key), []byte(action))
	})
}

// A noteSet has the keys that notes in a store name.
type noteSet struct {
	keys  map[string]time.Time // until when the last note of each key is meaningful, by the clock of its store
	names map[string]bool      // the keys of the notes themselves
}

func (n noteSet) has(key string) bool {
	_, found := n.keys[key]
	return found
}

// notedIn returns the keys that notes in a store name, if the notes are about a pair of stores. With also, notes
// of an earlier version count, too, which name no pair.
func (s *stores) notedIn(ctx context.Context, b storage.Bucket, pair string, also bool) (noteSet, error) {
	set := noteSet{map[string]time.Time{}, map[string]bool{}}
	var mu sync.Mutex
	err := (&job{}).run(ctx, s.notes(ctx, b), func(ctx context.Context, e storage.ListEntry) error {
		n, err := readNote(ctx, b, e.Key)
		if errors.Is(err, storage.ObjectNotFound) {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		if n.Pair == pair || also && n.Pair == "" {
			set.names[e.Key] = true
			made := e.Modified
			if !n.Made.IsZero() && n.Made.Before(made) {
				made = n.Made
			}
			if until := made.Add(n.For); !set.has(n.Key) || until.After(set.keys[n.Key]) {
				set.keys[n.Key] = until
			}
		}
		return err
	})
	return set, err
}

// ownNotes returns the keys that notes of the primary name. After a swap, a note of an earlier version may be older
// than the swap.
func (c *comparison) ownNotes(ctx context.Context) (noteSet, error) {
	s := c.stores
	return s.notedIn(ctx, s.primary, pairOf(s.place, s.secondPlace), !c.swapped && len(c.former.keys) == 0)
}

// readClocks finds out how far the clock of the second store is ahead. A dry run writes nothing, and takes the
// clocks for equal.
func (c *comparison) readClocks(ctx context.Context) error {
	if c.dryRun || len(c.noted.keys) == 0 {
		return nil
	}
	ours, err := storeclock.Now(ctx, c.stores.primary, clockKey)
	if err != nil {
		return err
	}
	theirs, err := c.stores.secondNow(ctx, time.Time{})
	c.ahead = theirs.Sub(ours)
	return err
}

// noteLag is how much later than a note the second store may have received the object that the note's
// write replaces.
const noteLag = time.Minute

// byNote reports whether a note of the primary decides a key. A note that is older than the second store's object
// came back with a snapshot. If both stores have a note, the one of the primary is later. But if the primary's mark
// says that it had this role when both stores were last equal, the roles were swapped twice since.
func (c *comparison) byNote(key string, theirs *storage.Attrs) bool {
	twice := c.former.has(key) && c.proven && !c.swapped
	return c.noted.has(key) && !twice && !theirs.Modified.After(c.noted.keys[key].Add(c.ahead+noteLag))
}

// endNotes removes the notes of the former primary: they would be valid again after another swap. A note that came
// meanwhile stays: somebody still writes there, and this call has not seen the write.
func (c *comparison) endNotes(ctx context.Context) error {
	second := c.stores.second.Bucket
	return c.job.run(ctx, c.stores.notes(ctx, second), func(ctx context.Context, e storage.ListEntry) error {
		if !c.former.names[e.Key] {
			return nil
		}
		return second.Remove(ctx, e.Key)
	})
}

// countNotes counts what [Repair] would do. Only the clock of this process decides whether a note is
// recent.
func (c *comparison) countNotes(ctx context.Context) error {
	for e, err := range c.stores.notes(ctx, c.stores.primary) {
		if err != nil {
			return err
		}
		if c.job.repaired.Add(1); time.Since(e.Modified) < settling {
			c.job.recent.Add(1)
		}
	}
	return nil
}

// giveBack copies to the primary the object that a note of the former primary names. The former primary is the
// second store now: a write to it succeeded, and may not have reached this primary. A removal is not copied, so
// that no mistake can lose an object by it.
func (c *comparison) giveBack(ctx context.Context, key string) error {
	s, ctx := c.stores, driver.WithLayerMetadata(ctx)
	ours, theirs, err := s.attrsOfBoth(ctx, key)
	if theirs == nil || err != nil {
		return err
	}
	var condition storage.CopyOption = storage.IfAbsent()
	if ours != nil {
		if same, err := s.sameContent(ctx, ours, theirs); same || err != nil {
			return err
		}
		condition = storage.IfRevision(ours.Revision)
	}
	_, err = storage.Copy(markerkey.Allow(ctx), s.primary, key, s.second.Bucket, key, condition)
	if ours == nil && otherstore.NeedsNo(key, theirs.Size, err) {
		return errNeedsNo
	}
	return err
}

// sameContent reports whether two objects have the same bytes, properties and tags, so that replacing one by the
// other loses nothing. The properties of the marker of a folder do not count: each console sets others.
func (s *stores) sameContent(ctx context.Context, ours, theirs *storage.Attrs) (bool, error) {
	if isMarker(ours.Key, ours.Size) && theirs.Size == 0 {
		return true, nil
	}
	if ours.Size != theirs.Size || !properties.Same(&ours.Properties, &theirs.Properties) {
		return false, nil
	}
	first, err := checksum(ctx, s.primary, ours)
	if err != nil {
		return false, err
	}
	second, err := checksum(ctx, s.second.Bucket, theirs)
	if err != nil || first != second || ours.TagCount == 0 && theirs.TagCount == 0 {
		return first == second, err
	}
	tags, err := storage.Tags(ctx, s.primary, ours.Key)
	if err != nil {
		return false, err
	}
	others, err := storage.Tags(ctx, s.second.Bucket, ours.Key)
	return maps.Equal(tags, others), err
}

// checksum returns the checksum of an object, which it reads if the store does not report one.
func checksum(ctx context.Context, b storage.Bucket, attrs *storage.Attrs) (uint32, error) {
	if attrs.CRC32C.Known {
		return attrs.CRC32C.Sum, nil
	}
	r, err := b.Download(ctx, attrs.Key, storage.IfRevision(attrs.Revision))
	if err != nil {
		return 0, err
	}
	defer func() { _ = r.Close() }() // always nil
	sum := crc32c.New()
	_, err = io.Copy(sum, r)
	return sum.Sum32(), err
}
