package memory

import (
	"context"
	"strings"

	"github.com/tidwall/btree"

	"github.com/omnibucket/storage/internal/objectkey"
	"github.com/omnibucket/storage/s3server/internal/state"
)

// List calls show with each object, or common prefix, of the page that follows a position. It reports whether more
// pages follow.
func (s *Store) List(
	_ context.Context, bucket string, l state.Listing, pos state.Position, show func(v *state.Version, common string),
) (hasMore bool, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	b, err := s.bucket(bucket)
	if err != nil {
		return false, err
	}
	return walk(l, b, pos, show), nil
}

// walk shows one page of the current objects and common prefixes that follow a position, and reports whether further
// entries follow the page. A position that is a common prefix skips the keys below it, but after a position that is a
// key below a common prefix, the prefix is shown once more.
func walk(
	l state.Listing, b *memoryBucket, pos state.Position, show func(v *state.Version, common string),
) (hasMore bool) {
	count := 0
	shownPrefix := "" // common prefix that was shown last, on this page or on the one before
	if pos.Prefix {
		shownPrefix = pos.Key
	}

	// The loop leaves out the keys below the common prefix that was shown last.
	keys := b.keys.Iter()
	hasKey := keys.Seek(max(l.Prefix, pos.Key))
	for ; hasKey && strings.HasPrefix(keys.Key(), l.Prefix); hasKey = nextKey(&keys, shownPrefix) {
		key := keys.Key()
		// The object is removed if its newest version is a delete marker.
		newest := keys.Value()[0]
		isRemoved := newest.Marker
		isShown := key <= pos.Key || isBelow(key, shownPrefix)
		if isRemoved || isShown {
			continue
		}

		isFull := count == l.Max
		if isFull {
			// As on S3, a page of 0 entries says that nothing follows.
			return l.Max > 0
		}
		count++
		if common, isPrefix := l.CommonPrefix(key); isPrefix {
			shownPrefix = common
			show(nil, common)
		} else {
			show(newest, "")
		}
	}
	return false
}

// nextKey moves to the next key, past all keys with the common prefix if the current key has it. It returns false at
// the end.
func nextKey(keys *btree.MapIter[string, []*state.Version], commonPrefix string) bool {
	if !isBelow(keys.Key(), commonPrefix) {
		return keys.Next()
	}
	end, exists := objectkey.PrefixEnd(commonPrefix)
	return exists && keys.Seek(end)
}

// isBelow reports whether a key begins with a common prefix. If common is "", it returns false.
func isBelow(key, common string) bool { return common != "" && strings.HasPrefix(key, common) }

// ListVersions calls show with each version, or common prefix, of the page that follows a position. It reports whether
// more pages follow.
func (s *Store) ListVersions(
	_ context.Context, bucket string, l state.Listing, pos state.VersionPosition,
	show func(v *state.Version, isLatest bool, common string),
) (hasMore bool, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	b, err := s.bucket(bucket)
	if err != nil {
		return false, err
	}
	return walkVersions(l, b, pos, show), nil
}

// walkVersions shows one page of the versions and delete markers that follow a position, those of one key from the
// newest to the oldest. Like walk, it reports whether further entries follow the page.
func walkVersions(
	l state.Listing, b *memoryBucket, pos state.VersionPosition,
	show func(v *state.Version, isLatest bool, common string),
) (hasMore bool) {
	count := 0
	shownPrefix := "" // common prefix that was shown last, on this page or on the one before
	if common, _ := l.CommonPrefix(pos.Key); common == pos.Key {
		shownPrefix = common
	}

	// The loop leaves out the keys below the common prefix that was shown last.
	keys := b.keys.Iter()
	hasKey := keys.Seek(max(l.Prefix, pos.Key))
	for ; hasKey && strings.HasPrefix(keys.Key(), l.Prefix); hasKey = nextKey(&keys, shownPrefix) {
		key := keys.Key()
		if isBelow(key, shownPrefix) {
			continue
		}

		// Only the later versions of the key at the position follow, and all versions of later keys.
		common, isPrefix := l.CommonPrefix(key)
		versions := keys.Value()
		for i := firstAfter(pos, key, versions); i < len(versions); i++ {
			isFull := count == l.Max
			if isFull {
				// As on S3, a page of 0 entries says that nothing follows.
				return l.Max > 0
			}
			count++

			// A common prefix stands for all versions of all its keys.
			if isPrefix {
				shownPrefix = common
				show(nil, false, common)
				break
			}
			isLatest := i == 0
			show(versions[i], isLatest, "")
		}
	}
	return false
}

// firstAfter returns the index of the first of a key's versions, from the newest to the oldest, that follows the
// position. If the version at the position was removed, that is the next older one.
func firstAfter(pos state.VersionPosition, key string, versions []*state.Version) int {
	if key != pos.Key {
		return 0
	}

	// A version's id begins with its number, and later versions have greater numbers.
	number, hasNumber := numberOf(pos.ID)
	for i, v := range versions {
		if v.ID == pos.ID {
			return i + 1
		}
		if hasNumber && v.Number < number {
			return i
		}
	}
	return len(versions)
}

// ListUploads calls show with each upload, or common prefix, of the page that follows a position. It reports whether
// more pages follow.
func (s *Store) ListUploads(
	_ context.Context, bucket string, l state.Listing, pos state.UploadPosition,
	show func(u *state.Upload, common string),
) (hasMore bool, err error) {
	page := &state.UploadPage{Listing: l, After: pos}
	if err := s.addUploads(page, bucket); err != nil {
		return false, err
	}
	return page.Show(show), nil
}

// addUploads adds all uploads of a bucket to a page.
func (s *Store) addUploads(page *state.UploadPage, bucket string) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	b, err := s.bucket(bucket)
	if err != nil {
		return err
	}
	for _, u := range b.uploads {
		page.Add(&u.upload)
	}
	return nil
}
