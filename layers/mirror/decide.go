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
	"github.com/omnibucket/storage/internal/inquiry"
	"github.com/omnibucket/storage/internal/keysort"
	"github.com/omnibucket/storage/internal/objectkey"
	"github.com/omnibucket/storage/internal/revisions"
	"github.com/omnibucket/storage/internal/running"
	"github.com/omnibucket/storage/layers/internal/otherstore"
)

// plannedKeys yields the keys in s as entries, with the key's Action in place of an ETag.
func plannedKeys(ctx context.Context, s *keysort.Sorter) iter.Seq2[storage.ListEntry, error] {
	return func(yield func(storage.ListEntry, error) bool) {
		for record, err := range s.Sorted(ctx) {
			entry := storage.ListEntry{Key: string(record.Key), ETag: string(record.Value)}
			if !yield(entry, err) || err != nil {
				return
			}
		}
	}
}

// decide decides for the keys in c.doubtful which store is right, by the content of the objects and by
// notes: small objects in a store, each of which announces a write to that store.
//
// A key that someone writes meanwhile may have a newer note than those that decide has read. So decide
// looks twice at the keys for which nothing shows which store is right, with new notes. Those for which
// still nothing shows it are undecided.
func (c *comparison) decide(ctx context.Context) error {
	lookAgain := keysort.New(sortMemory)
	// Close removes its temporary files.
	defer lookAgain.Close()

	err := c.decideEach(ctx, c.doubtful, func(key string) error {
		c.job.mu.Lock() // decideEach calls this function in parallel
		defer c.job.mu.Unlock()
		return lookAgain.Add(ctx, []byte(key), nil)
	})
	if err != nil {
		return err
	}

	return c.decideEach(ctx, lookAgain, func(key string) error {
		c.addUndecided(key)
		return nil
	})
}

// decideEach decides which store is right about each key, and calls undecided for a key if nothing
// shows that.
func (c *comparison) decideEach(ctx context.Context, keys *keysort.Sorter, undecided func(key string) error) error {
	// The notes of the primary and the clocks are read once, when the first key needs them.
	evidenceRead := running.NewOnce(func(ctx context.Context) (struct{}, error) {
		return struct{}{}, c.readEvidence(ctx)
	})

	return c.job.run(ctx, plannedKeys(ctx, keys), func(ctx context.Context, entry storage.ListEntry) error {
		if _, err := evidenceRead.Get(ctx); err != nil {
			return err
		}
		decided, err := c.decideOne(ctx, entry.Key)
		if err != nil {
			return err
		}
		if !decided {
			return undecided(entry.Key)
		}
		return nil
	})
}

// readEvidence sets c.primaryNotes to the notes of the primary, and reads the clocks to which the times of
// notes and objects refer.
func (c *comparison) readEvidence(ctx context.Context) error {
	noted, err := c.ownNotes(ctx)
	if err != nil {
		return err
	}
	c.primaryNotes = noted
	return c.readClocks(ctx)
}

// decideOne decides which store is right about a key, and plans what to do with it. It returns false if
// neither the objects nor a note show that. A note announces a write to the store that has the note.
func (c *comparison) decideOne(ctx context.Context, key string) (decided bool, err error) {
	s := c.stores
	ctx = driver.WithLayerMetadata(ctx)
	primaryAttrs, secondAttrs, err := s.attrsOfBoth(ctx, key)
	if err != nil {
		return false, err
	}
	if secondAttrs == nil {
		// The object was removed meanwhile.
		return true, nil
	}

	if c.isProvenByNote(key, secondAttrs) {
		// The primary is right, and repairNotes makes both stores equal later. A dry run does not
		// call repairNotes, so this counts the object that it would remove.
		if c.dryRun && primaryAttrs == nil {
			c.job.removed.Add(1)
		}
		return true, nil
	}

	if primaryAttrs == nil {
		return c.decideMissing(ctx, key, secondAttrs)
	}
	return c.decideDifferent(ctx, key, primaryAttrs, secondAttrs)
}

// secondIsRight reports whether only the second store has a note about a key.
func (c *comparison) secondIsRight(key string) bool {
	return c.secondNotes.has(key) && !c.primaryNotes.has(key)
}

// decideMissing is decideOne for a key that only the second store has.
func (c *comparison) decideMissing(ctx context.Context, key string, secondAttrs *storage.Attrs) (bool, error) {
	if !c.secondNotes.has(key) && isMarker(key, secondAttrs.Size) {
		c.job.ignored.Add(1)
		return true, nil
	}
	if !c.secondIsRight(key) {
		return false, nil
	}
	return true, c.planAction(ctx, key, Returned)
}

// decideDifferent is decideOne for a key that both stores have.
func (c *comparison) decideDifferent(
	ctx context.Context, key string, primaryAttrs, secondAttrs *storage.Attrs,
) (bool, error) {
	isSame, err := c.stores.sameContent(ctx, primaryAttrs, secondAttrs)
	if err != nil {
		return false, err
	}
	if isSame {
		return true, c.planAction(ctx, key, Replaced)
	}
	if c.stores.isCopy(ctx, primaryAttrs, secondAttrs) {
		// Someone has written the object meanwhile.
		return true, nil
	}
	if !c.secondIsRight(key) {
		return false, nil
	}

	// The second store would replace an object of the primary, which checkDecided may still refuse.
	c.conflicts.Add(1)
	c.first.CompareAndSwap(nil, &key)
	return true, c.planAction(ctx, key, Returned)
}

// planAction records an action for a key.
func (c *comparison) planAction(ctx context.Context, key string, a Action) error {
	c.job.mu.Lock()
	defer c.job.mu.Unlock()
	return c.planned.Add(ctx, []byte(key), []byte(a))
}

// A noteSet has the keys that the notes in a store are about.
type noteSet struct {
	// The first map has the keys that the notes are about. Each value is the time until which the
	// last note of the key is valid, by the clock of the store that has the note.
	keys  map[string]time.Time
	names map[string]bool // the keys of the notes themselves
}

// has reports whether a note is about the key.
func (n noteSet) has(key string) bool {
	_, ok := n.keys[key]
	return ok
}

// readNotes reads the notes in b that are about the given pair of stores. Notes of an earlier version of this package
// name no pair. They count only if allowUnpaired is true.
func (s *stores) readNotes(ctx context.Context, b storage.Bucket, pair string, allowUnpaired bool) (noteSet, error) {
	set := noteSet{keys: map[string]time.Time{}, names: map[string]bool{}}
	var mu sync.Mutex // guards set
	j := &job{}       // reads the notes in parallel; its report is not needed
	err := j.run(ctx, s.notes(ctx, b), func(ctx context.Context, entry storage.ListEntry) error {
		n, err := readNote(ctx, b, entry.Key)
		if errors.Is(err, storage.ObjectNotFound) {
			// The writer of the note, or a Repair, has removed it.
			return nil
		}
		if err != nil {
			return err
		}
		isUnpaired := n.Pair == ""
		if n.Pair != pair && !(isUnpaired && allowUnpaired) {
			return nil
		}

		mu.Lock()
		defer mu.Unlock()
		set.add(entry, n)
		return nil
	})
	return set, err
}

// add adds a note, which the store lists as the given entry. The key of the note gets the latest end of all its notes.
func (n noteSet) add(entry storage.ListEntry, added note) {
	n.names[entry.Key] = true
	begin := entry.Modified
	if !added.Made.IsZero() && added.Made.Before(begin) {
		// The primary was restored from a snapshot after the note was written.
		begin = added.Made
	}

	end := begin.Add(added.ValidFor)
	if !n.has(added.Key) || end.After(n.keys[added.Key]) {
		n.keys[added.Key] = end
	}
}

// ownNotes reads the notes in the primary, and returns the keys that the notes are about. A note of
// an earlier version of this package does not name its stores. Such a note does not count if the
// roles of the stores were swapped, because it may be older than the swap.
func (c *comparison) ownNotes(ctx context.Context) (noteSet, error) {
	s := c.stores
	wasSwapped := c.swapped || len(c.secondNotes.keys) > 0
	return s.readNotes(ctx, s.primary, pairOf(s.place, s.secondPlace), !wasSwapped)
}

// readClocks finds out how far the clock of the second store is ahead of the primary's. A dry run
// assumes that the clocks are equal, because it writes nothing.
func (c *comparison) readClocks(ctx context.Context) error {
	if c.dryRun || len(c.primaryNotes.keys) == 0 {
		return nil
	}

	primaryTime, err := inquiry.Now(ctx, c.stores.primary, clockKey)
	if err != nil {
		return err
	}
	secondTime, err := c.stores.secondTime(ctx, time.Time{})
	if err != nil {
		return err
	}
	c.ahead = secondTime.Sub(primaryTime)
	return nil
}

// noteLag is a tolerance. If the second store's object is newer than a note by at most noteLag, the
// note still counts. Such an object may be the late copy of a write that came before the note.
const noteLag = time.Minute

// isProvenByNote reports whether a note in the primary proves that the primary is right about a key. It
// does not if the second store's object is newer than the note: the primary was then probably restored
// from a snapshot that contains the note.
func (c *comparison) isProvenByNote(key string, secondAttrs *storage.Attrs) bool {
	noteEnd, hasNote := c.primaryNotes.keys[key]
	if !hasNote || c.secondNoteMayBeLater(key) {
		return false
	}
	noteEndInSecond := noteEnd.Add(c.ahead) // by the clock of the second store
	put := c.stores.putTime(key, secondAttrs.Modified)
	return !put.After(noteEndInSecond.Add(noteLag))
}

// secondNoteMayBeLater reports whether the second store may have a note about a key that is later than
// that of the primary. It has notes from the time when it was the primary, which are usually earlier. They
// may be later only if the roles of the stores were swapped twice. Then the present primary has the valid
// mark, which it wrote before the first swap, and the second store has none.
func (c *comparison) secondNoteMayBeLater(key string) bool {
	onlyPrimaryHasMark := c.proven && !c.swapped
	return c.secondNotes.has(key) && onlyPrimaryHasMark
}

// endNotes removes the notes that the second store has from the time when it was the primary, which
// would become valid if the roles were swapped again. It keeps notes that were written meanwhile,
// because they show that someone still writes to that store.
func (c *comparison) endNotes(ctx context.Context) error {
	second := c.stores.second.Bucket
	return c.job.run(ctx, c.stores.notes(ctx, second), func(ctx context.Context, entry storage.ListEntry) error {
		if !c.secondNotes.names[entry.Key] {
			return nil
		}
		return second.Remove(ctx, entry.Key)
	})
}

// countNotes counts what [Repair] would do, by the clock of this process.
func (c *comparison) countNotes(ctx context.Context) error {
	for entry, err := range c.stores.notes(ctx, c.stores.primary) {
		if err != nil {
			return err
		}
		c.job.repaired.Add(1)
		if time.Since(entry.Modified) < settling {
			c.job.recent.Add(1)
		}
	}
	return nil
}

// copyBack copies an object from the second store to the primary, because a note in the second store shows
// that its object is the right one. It never removes an object, so that no mistake can lose one.
func (c *comparison) copyBack(ctx context.Context, key string) error {
	s := c.stores
	ctx = driver.WithLayerMetadata(ctx)
	primaryAttrs, secondAttrs, err := s.attrsOfBoth(ctx, key)
	if err != nil {
		return err
	}
	if secondAttrs == nil {
		// The object was removed meanwhile.
		return nil
	}

	if primaryAttrs != nil {
		isSame, err := s.sameContent(ctx, primaryAttrs, secondAttrs)
		if err != nil {
			return err
		}
		if isSame {
			return nil
		}
	}

	ctx = objectkey.AllowFolderMarker(ctx)
	_, err = storage.Copy(ctx, s.primary, key, s.second.Bucket, key, ifStill(primaryAttrs))
	// The primary may be unable to have the marker of a folder, such as a directory.
	if primaryAttrs == nil && otherstore.MayLeaveOut(key, secondAttrs.Size, err) {
		return errLeftOut
	}
	return err
}

// sameContent reports whether two objects have the same bytes, properties and tags, so that replacing
// one by the other loses nothing. The properties of two folder markers may differ, because consoles set
// different ones.
func (s *stores) sameContent(ctx context.Context, primaryAttrs, secondAttrs *storage.Attrs) (bool, error) {
	if isMarker(primaryAttrs.Key, primaryAttrs.Size) && secondAttrs.Size == 0 {
		return true, nil
	}
	if primaryAttrs.Size != secondAttrs.Size {
		return false, nil
	}
	if !revisions.SameProperties(&primaryAttrs.Properties, &secondAttrs.Properties) {
		return false, nil
	}

	primarySum, err := checksum(ctx, s.primary, primaryAttrs)
	if err != nil {
		return false, err
	}
	secondSum, err := checksum(ctx, s.second.Bucket, secondAttrs)
	if err != nil {
		return false, err
	}
	if primarySum != secondSum {
		return false, nil
	}

	if primaryAttrs.TagCount == 0 && secondAttrs.TagCount == 0 {
		return true, nil
	}
	return s.sameTags(ctx, primaryAttrs.Key)
}

// sameTags reports whether the objects of both stores have the same tags.
func (s *stores) sameTags(ctx context.Context, key string) (bool, error) {
	primaryTags, err := storage.Tags(ctx, s.primary, key)
	if err != nil {
		return false, err
	}
	secondTags, err := storage.Tags(ctx, s.second.Bucket, key)
	if err != nil {
		return false, err
	}
	return maps.Equal(primaryTags, secondTags), nil
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
	// Close always returns nil.
	defer r.Close()

	sum := crc32c.New()
	_, err = io.Copy(sum, r)
	return sum.Sum32(), err
}
