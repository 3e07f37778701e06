package overlay

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"iter"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/objectkey"
	"github.com/omnibucket/storage/internal/running"
	"github.com/omnibucket/storage/layers/internal/otherstore"
)

// TombstonesPrefix is the prefix of the keys of tombstones in the new store. A tombstone is a small
// object that hides an object of the old store (see [Config.KeepOld]). With KeepOld, writing such a
// key fails with InvalidArgument.
const TombstonesPrefix = ".omnibucket-overlay/"

// afterTombstones sorts after the keys of tombstones. Only tombstones of keys that begin with
// U+10FFFD to U+10FFFF sort later. Nobody uses such keys by accident.
const afterTombstones = TombstonesPrefix + "\U0010FFFD"

const tombstone = "An overlay has removed this key. Its old store keeps the object.\n"

func (s *stores) isTombstone(key string) bool {
	return s.config.KeepOld && strings.HasPrefix(key, TombstonesPrefix)
}

// tombstoneKey returns the key of the tombstone for a key. Tombstones sort like the keys that they
// hide, except that very long keys have a tombstone named by a hash. ordered is false for these.
func tombstoneKey(key string) (name string, ordered bool) {
	name = TombstonesPrefix + key
	if objectkey.Fits(name) {
		return name, true
	}
	sum := sha256.Sum256([]byte(key))
	return TombstonesPrefix + "~long/" + hex.EncodeToString(sum[:]), false
}

// checkKey returns an error if key is the key of a tombstone.
func (s *stores) checkKey(key string) error {
	if s.isTombstone(key) {
		return &storage.Error{
			Code: storage.InvalidArgument,
			Err:  errors.New("key must not begin with " + TombstonesPrefix + ": an overlay keeps its tombstones there"),
		}
	}
	return nil
}

// removeOld removes an object from the old store. With KeepOld it leaves a tombstone instead, which
// stays even if the key is written again, because the old store's object must never be seen again.
func (s *stores) removeOld(ctx context.Context, key string) error {
	if !s.config.KeepOld {
		return s.removes.Remove(ctx, key)
	}
	name, _ := tombstoneKey(key)
	_, err := s.putText(ctx, name, tombstone, nil, storage.Condition{})
	return err
}

// isRemoved reports whether a key has a tombstone.
func (s *stores) isRemoved(ctx context.Context, key string) (bool, error) {
	if !s.config.KeepOld {
		return false, nil
	}

	name, _ := tombstoneKey(key)
	_, err := s.driver.Head(ctx, &driver.GetRequest{Key: name, Length: -1, Auxiliary: true})
	if err == nil {
		return true, nil
	}
	if isMissing(err) {
		// There is no tombstone, or the store cannot have a key with this name.
		return false, nil
	}
	return false, err
}

// oldAttrs returns the attributes of an object in the old store, or nil. If the old store is a mirror,
// they never come from its second store, because writes are decided by them.
func (s *stores) oldAttrs(ctx context.Context, key string) (*storage.Attrs, error) {
	return s.attrsIn(ctx, s.old.Bucket, key)
}

// attrsIn returns the attributes of an object in old, which is a bucket of the old store. It returns
// nil if the object does not exist, or if a tombstone hides it.
func (s *stores) attrsIn(ctx context.Context, old storage.Bucket, key string) (*storage.Attrs, error) {
	ctx = driver.WithoutFailover(ctx)
	attrs, err := old.Attrs(ctx, key)
	if err != nil && isMissing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}

	isHidden, err := s.isRemoved(ctx, key)
	if err != nil || isHidden {
		return nil, err
	}
	return attrs, nil
}

// oldEntries yields the entries of the old store that have no tombstone: an object in the new store
// that hides a removed key. It reads both listings side by side, because both are in the same order.
func (s *stores) oldEntries(ctx context.Context, prefix string) iter.Seq2[storage.ListEntry, error] {
	entries := otherstore.Without(s.old.Bucket.List(ctx, storage.WithPrefix(prefix)), s.isTombstone)
	// Without KeepOld, tombstones do not count.
	if !s.config.KeepOld {
		return entries
	}
	return func(yield func(storage.ListEntry, error) bool) {
		next, stop := iter.Pull2(s.new.List(ctx, storage.WithPrefix(TombstonesPrefix+prefix)))
		defer stop()

		tomb, tombErr, hasMore := next()
		for e, err := range entries {
			name, ordered := tombstoneKey(e.Key)

			// Skip the tombstones of earlier keys, which the old store does not have any more.
			for ordered && hasMore && tombErr == nil && tomb.Key < name {
				tomb, tombErr, hasMore = next()
			}

			err = cmp.Or(err, tombErr)
			isRemoved := ordered && hasMore && tomb.Key == name
			if !ordered && err == nil {
				// The tombstones of long keys have another order than the keys.
				isRemoved, err = s.isRemoved(ctx, e.Key)
			}
			if err != nil {
				yield(e, err)
				return
			}
			if !isRemoved && !yield(e, nil) {
				return
			}
		}
	}
}

// countTombstones returns the number of tombstones that are left. If remove is true, it removes them
// first.
func (s *stores) countTombstones(ctx context.Context, remove bool) (left int64, err error) {
	if !s.config.KeepOld {
		return 0, nil
	}

	// Iterating over keys counts the tombstones.
	var listErr error
	keys := func(yield func(string) bool) {
		for entry, err := range s.new.List(ctx, storage.WithPrefix(TombstonesPrefix)) {
			if err != nil {
				listErr = err
				return
			}
			left++
			if !yield(entry.Key) {
				return
			}
		}
	}

	if remove {
		count, removeErr := storage.RemoveAll(ctx, s.new, keys)
		return left - int64(count), errors.Join(removeErr, listErr)
	}
	for range keys {
		// keys counts them.
	}
	return left, listErr
}

// newPage returns a page of the new store without tombstones.
func (s *stores) newPage(ctx context.Context, r *driver.ListRequest, pos position) (*storage.Page, error) {
	page, err := pageOf(ctx, s.new, r, pos, pos.New, pos.NewDone)
	if err != nil || !s.config.KeepOld {
		return page, err
	}

	n := len(page.Entries)
	endsInTombstones := n > 0 && s.isTombstone(page.Entries[n-1].Key)
	if endsInTombstones && page.Token != "" {
		// Skip the tombstones, which may be many.
		pos.Start = afterTombstones
		nextPage, err := pageOf(ctx, s.new, r, pos, "", false)
		if err != nil {
			return nil, err
		}
		page.Entries = append(page.Entries, nextPage.Entries...)
		page.Token = nextPage.Token
	}

	visible := page.Entries[:0]
	for _, entry := range page.Entries {
		hidden, err := otherstore.Hides(ctx, s.new, entry, TombstonesPrefix, afterTombstones)
		if err != nil {
			return nil, err
		}
		if !hidden {
			visible = append(visible, entry)
		}
	}
	page.Entries = visible
	return page, nil
}

// removedPage returns a page of tombstones, as the keys and common prefixes that they hide.
func (s *stores) removedPage(ctx context.Context, r *driver.ListRequest, pos position) (*storage.Page, error) {
	if !s.config.KeepOld || pos.OldDone {
		return &storage.Page{}, nil
	}

	req := *r
	req.Prefix = TombstonesPrefix + r.Prefix

	// The page of tombstones begins where the page of the old store does.
	pos.After = max(pos.After, pos.Start)
	if pos.After != "" {
		pos.After = TombstonesPrefix + pos.After
	}
	pos.Start = pos.After
	// A store may refuse so long a start, so the page begins with the first tombstone.
	if len(pos.Start) > objectkey.MaxBytes {
		pos.Start = ""
	}

	page, err := pageOf(ctx, s.new, &req, pos, pos.Removed, pos.RemovedDone)
	if err != nil && isMissing(err) {
		// The store cannot have keys with this prefix, and so no such tombstones.
		return &storage.Page{}, nil
	}
	if err != nil {
		return nil, err
	}
	for i := range page.Entries {
		page.Entries[i].Key = strings.TrimPrefix(page.Entries[i].Key, TombstonesPrefix)
	}
	return page, nil
}

// hiddenKeys returns the keys of the old store's entries that tombstones hide, given one page of the
// old store, one of the new store, and one of tombstones.
//
//   - A key is hidden if it has a tombstone.
//   - A common prefix is hidden if each key below it has a tombstone. If only very long keys below
//     it have tombstones, the prefix stays visible.
//   - A common prefix is not hidden if the page of the new store also has it.
func (s *stores) hiddenKeys(ctx context.Context, ofOld, ofNew, ofRemoved []storage.ListEntry) (map[string]bool, error) {
	if !s.config.KeepOld {
		return nil, nil
	}
	type entry struct {
		key      string
		isPrefix bool
	}

	newPrefixes := map[string]bool{} // common prefixes in the page of the new store
	for _, e := range ofNew {
		if e.IsPrefix {
			newPrefixes[e.Key] = true
		}
	}
	tombstones := map[entry]bool{}
	for _, e := range ofRemoved {
		tombstones[entry{e.Key, e.IsPrefix}] = true
	}

	hidden := map[string]bool{}
	var unsure []entry // entries that need a request
	for _, e := range ofOld {
		if newPrefixes[e.Key] {
			continue
		}
		oldEntry := entry{e.Key, e.IsPrefix}
		_, ordered := tombstoneKey(e.Key)
		switch {
		case e.IsPrefix && tombstones[oldEntry]:
			// Only some of the keys below the prefix may have tombstones.
			unsure = append(unsure, oldEntry)
		case !e.IsPrefix && !ordered:
			// The tombstone of a long key is not in the page.
			unsure = append(unsure, oldEntry)
		case tombstones[oldEntry]:
			hidden[e.Key] = true
		}
	}

	// Send the requests for the unsure entries, several at a time.
	isRemoved := make([]bool, len(unsure))
	err := running.Each(ctx, len(unsure), lookAhead, func(ctx context.Context, i int) (err error) {
		if unsure[i].isPrefix {
			isRemoved[i], err = s.isPrefixRemoved(ctx, unsure[i].key)
		} else {
			isRemoved[i], err = s.isRemoved(ctx, unsure[i].key)
		}
		return err
	})
	if err != nil {
		return nil, err
	}

	for i, e := range unsure {
		hidden[e.key] = isRemoved[i]
	}
	return hidden, nil
}

// isPrefixRemoved reports whether each key of the old store that begins with prefix has a tombstone.
func (s *stores) isPrefixRemoved(ctx context.Context, prefix string) (bool, error) {
	for _, err := range s.oldEntries(ctx, prefix) {
		// The first entry without a tombstone decides.
		return false, err
	}
	return true, nil
}
