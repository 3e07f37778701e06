package memory

import (
	"context"
	"slices"
	"strings"

	"github.com/tidwall/btree"

	"github.com/omnibucket/storage/internal/objectkey"
	"github.com/omnibucket/storage/s3server/internal/state"
)

func (s *Store) List(
	_ context.Context, bucket string, l state.Listing, pos state.Position, show func(v *state.Version, common string),
) (hasMore bool, err error) {
	err = s.viewBucket(bucket, func(b *memoryBucket) error {
		hasMore = walk(l, b, pos, show)
		return nil
	})
	return hasMore, err
}

// walk shows one page of current objects and common prefixes that follow a position. It returns
// true if further entries follow the page. If the position is a common prefix, the keys below it
// are skipped. If the position is a key below a common prefix, the prefix is shown once more.
func walk(
	l state.Listing, b *memoryBucket, pos state.Position, show func(v *state.Version, common string),
) (hasMore bool) {
	keys := b.keys.Iter()
	count, last := 0, ""
	if pos.Prefix {
		last = pos.Key
	}
	for ok := keys.Seek(max(l.Prefix, pos.Key)); ok && strings.HasPrefix(keys.Key(), l.Prefix); ok = nextKey(&keys, last) {
		key := keys.Key()
		v := keys.Value()[0]
		if v.Marker || key <= pos.Key || isBelow(key, last) {
			continue
		}
		if count == l.Max {
			return l.Max > 0
		}
		count++
		if common, isPrefix := l.CommonPrefix(key); isPrefix {
			last = common
			show(nil, common)
		} else {
			show(v, "")
		}
	}
	return false
}

// nextKey moves to the next key. If common is not "", it skips all keys with this common prefix.
func nextKey(keys *btree.MapIter[string, []*state.Version], common string) bool {
	if !isBelow(keys.Key(), common) {
		return keys.Next()
	}
	end, exists := objectkey.PrefixEnd(common)
	return exists && keys.Seek(end)
}

// isBelow reports whether a key begins with a common prefix. If common is "", it returns false.
func isBelow(key, common string) bool { return common != "" && strings.HasPrefix(key, common) }

func (s *Store) ListVersions(
	_ context.Context, bucket string, l state.Listing, pos state.VersionPosition,
	show func(v *state.Version, isLatest bool, common string),
) (hasMore bool, err error) {
	err = s.viewBucket(bucket, func(b *memoryBucket) error {
		hasMore = walkVersions(l, b, pos, show)
		return nil
	})
	return hasMore, err
}

func walkVersions(
	l state.Listing, b *memoryBucket, pos state.VersionPosition,
	show func(v *state.Version, isLatest bool, common string),
) (hasMore bool) {
	keys := b.keys.Iter()
	count, last := 0, ""
	if common, _ := l.CommonPrefix(pos.Key); common == pos.Key {
		last = common
	}
	for ok := keys.Seek(max(l.Prefix, pos.Key)); ok && strings.HasPrefix(keys.Key(), l.Prefix); ok = nextKey(&keys, last) {
		if isBelow(keys.Key(), last) {
			continue
		}
		common, isPrefix := l.CommonPrefix(keys.Key())
		versions := keys.Value()
		for i := firstAfter(pos, keys.Key(), versions); i < len(versions); i++ {
			if count == l.Max {
				return l.Max > 0
			}
			count++
			if isPrefix {
				last = common
				show(nil, false, common)
				break
			}
			show(versions[i], i == 0, "")
		}
	}
	return false
}

// firstAfter returns the index of the first version of a key that follows the position.
func firstAfter(p state.VersionPosition, key string, versions []*state.Version) int {
	if key != p.Key {
		return 0
	}
	number, ok := numberOf(p.ID)
	i := slices.IndexFunc(versions, func(v *state.Version) bool { return v.ID == p.ID || ok && v.Number < number })
	if i < 0 {
		return len(versions)
	}
	if versions[i].ID == p.ID {
		return i + 1
	}
	return i
}

func (s *Store) ListUploads(
	_ context.Context, bucket string, l state.Listing, pos state.UploadPosition,
	show func(u *state.Upload, common string),
) (hasMore bool, err error) {
	page := &state.UploadPage{Listing: l, After: pos}
	err = s.viewBucket(bucket, func(b *memoryBucket) error {
		for _, u := range b.uploads {
			page.Add(&u.upload)
		}
		return nil
	})
	return page.Show(show), err
}
