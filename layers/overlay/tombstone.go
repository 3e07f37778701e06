package overlay

import (
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
		return s.oldBucket.Remove(ctx, key)
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
// that hides a removed key. It reads the listings of entries and tombstones side by side, because both
// are in the same order.
func (s *stores) oldEntries(ctx context.Context, prefix string) iter.Seq2[storage.ListEntry, error] {
	entries := otherstore.Without(s.old.Bucket.List(ctx, storage.WithPrefix(prefix)), s.isTombstone)
	// Without KeepOld, tombstones do not count.
	if !s.config.KeepOld {
		return entries
	}
	return func(yield func(storage.ListEntry, error) bool) {
		tombstones := newCursor(s.new.List(ctx, storage.WithPrefix(TombstonesPrefix+prefix)))
		defer tombstones.stop()
		for e, err := range entries {
			if err != nil {
				yield(e, err)
				return
			}
			isRemoved, err := s.seekTombstone(ctx, tombstones, e.Key)
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

// seekTombstone moves the cursor, which lists tombstones, to that of a key, and reports whether the key has one. It
// must be called for keys in ascending order.
func (s *stores) seekTombstone(ctx context.Context, tombstones *cursor, key string) (bool, error) {
	name, isOrdered := tombstoneKey(key)
	if isOrdered {
		// Skip the tombstones of earlier keys, which the old store does not have any more.
		tombstones.skipTo(name)
	}
	if tombstones.err != nil {
		return false, tombstones.err
	}

	// The tombstones of long keys have another order than the keys, so the cursor may be past the one of this key.
	if !isOrdered {
		return s.isRemoved(ctx, key)
	}
	return tombstones.hasMore && tombstones.entry.Key == name, nil
}

// countTombstones returns the number of tombstones. Without KeepOld, they do not count.
func (s *stores) countTombstones(ctx context.Context) (count int64, err error) {
	if !s.config.KeepOld {
		return 0, nil
	}
	for _, err := range s.new.List(ctx, storage.WithPrefix(TombstonesPrefix)) {
		if err != nil {
			return count, err
		}
		count++
	}
	return count, nil
}

// removeTombstones removes the tombstones, and returns the number of those that are left.
func (s *stores) removeTombstones(ctx context.Context) (left int64, err error) {
	if !s.config.KeepOld {
		return 0, nil
	}

	// Stop at an error of the list, and keep it.
	var listed int64
	var listErr error
	keys := func(yield func(string) bool) {
		for entry, err := range s.new.List(ctx, storage.WithPrefix(TombstonesPrefix)) {
			if err != nil {
				listErr = err
				return
			}
			listed++
			if !yield(entry.Key) {
				return
			}
		}
	}

	removedNow, removeErr := storage.RemoveAll(ctx, s.new, keys)
	return listed - int64(removedNow), errors.Join(removeErr, listErr)
}

// newPage returns a page of the new store without tombstones.
func (s *stores) newPage(ctx context.Context, r *driver.ListRequest, pos position) (*storage.Page, error) {
	page, err := pageOf(ctx, s.new, r, pos, pos.New, pos.NewDone)
	if err != nil || !s.config.KeepOld {
		return page, err
	}

	// If the page ends with a tombstone, the next pages may have nothing else. So continue after the last tombstone.
	n := len(page.Entries)
	endsInTombstones := n > 0 && s.isTombstone(page.Entries[n-1].Key)
	if endsInTombstones && page.Token != "" {
		pos.Start = afterTombstones
		nextPage, err := listPage(ctx, s.new, r, pos, "")
		if err != nil {
			return nil, err
		}
		page.Entries = append(page.Entries, nextPage.Entries...)
		page.Token = nextPage.Token
	}

	page.Entries, err = s.withoutTombstones(ctx, page.Entries)
	if err != nil {
		return nil, err
	}
	return page, nil
}

// withoutTombstones removes tombstones from entries of the new store, and a common prefix if all keys
// below it are tombstones.
func (s *stores) withoutTombstones(ctx context.Context, entries []storage.ListEntry) ([]storage.ListEntry, error) {
	visible := entries[:0]
	for _, entry := range entries {
		hidden, err := otherstore.Hides(ctx, s.new, entry, TombstonesPrefix, afterTombstones)
		if err != nil {
			return nil, err
		}
		if !hidden {
			visible = append(visible, entry)
		}
	}
	return visible, nil
}

// removedPage returns a page of the keys and common prefixes that tombstones hide. A tombstone is an object of the
// new store, whose key is TombstonesPrefix and the hidden key, unless that is very long.
func (s *stores) removedPage(ctx context.Context, r *driver.ListRequest, pos position) (*storage.Page, error) {
	// Tombstones hide only entries of the old store.
	if !s.config.KeepOld || pos.OldDone {
		return &storage.Page{}, nil
	}

	// List the tombstones in place of the keys that they hide.
	req := *r
	req.Prefix = TombstonesPrefix + r.Prefix
	page, err := pageOf(ctx, s.new, &req, tombstonePosition(pos), pos.Removed, pos.RemovedDone)
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

// tombstonePosition returns the position at which a page of tombstones begins, if the page of the old store
// begins at pos.
func tombstonePosition(pos position) position {
	// Leave out what was listed, and what is before the beginning of the listing.
	after := max(pos.After, pos.Start)
	if after != "" {
		after = TombstonesPrefix + after
	}
	pos.After = after
	pos.Start = after
	// A store may refuse so long a start. Then begin with the first tombstone. The function pageOf leaves out those up
	// to pos.After.
	if len(pos.Start) > objectkey.MaxBytes {
		pos.Start = ""
	}
	return pos
}

// A listedKey is the key or common prefix of a listing entry.
type listedKey struct {
	key      string
	isPrefix bool
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

	newPrefixes := map[string]bool{} // common prefixes in the page of the new store
	for _, e := range ofNew {
		if e.IsPrefix {
			newPrefixes[e.Key] = true
		}
	}
	tombstones := map[listedKey]bool{}
	for _, e := range ofRemoved {
		tombstones[listedKey{e.Key, e.IsPrefix}] = true
	}

	hidden := map[string]bool{}
	var unsure []listedKey // entries that need a request
	for _, e := range ofOld {
		if newPrefixes[e.Key] {
			continue
		}
		oldKey := listedKey{e.Key, e.IsPrefix}
		hasTombstone := tombstones[oldKey]
		if e.IsPrefix {
			if hasTombstone {
				// Perhaps only some of the keys below the prefix have tombstones.
				unsure = append(unsure, oldKey)
			}
			continue
		}
		if _, isOrdered := tombstoneKey(e.Key); !isOrdered {
			// The tombstone of a long key is not in the page.
			unsure = append(unsure, oldKey)
			continue
		}
		if hasTombstone {
			hidden[e.Key] = true
		}
	}

	areHidden, err := s.areRemoved(ctx, unsure)
	if err != nil {
		return nil, err
	}
	for i, e := range unsure {
		hidden[e.key] = areHidden[i]
	}
	return hidden, nil
}

// areRemoved reports for each key whether it has a tombstone, and for each common prefix whether all keys
// below it have one. It sends the requests for several keys at the same time.
func (s *stores) areRemoved(ctx context.Context, keys []listedKey) ([]bool, error) {
	results := make([]bool, len(keys))
	err := running.Each(ctx, len(keys), lookAhead, func(ctx context.Context, i int) error {
		isRemoved := s.isRemoved
		if keys[i].isPrefix {
			isRemoved = s.isPrefixRemoved
		}
		result, err := isRemoved(ctx, keys[i].key)
		results[i] = result
		return err
	})
	return results, err
}

// isPrefixRemoved reports whether each key of the old store that begins with prefix has a tombstone.
func (s *stores) isPrefixRemoved(ctx context.Context, prefix string) (bool, error) {
	for _, err := range s.oldEntries(ctx, prefix) {
		// The first entry without a tombstone decides.
		return false, err
	}
	return true, nil
}
