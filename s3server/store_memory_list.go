package s3server

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"strings"
)

func (s *memoryStore) list(_ context.Context, bucket string, l listing, after position, show func(v *version, common string)) (more bool, err error) {
	walk := l.walk
	if s.folderOrder {
		walk = l.walkTree
	}
	err = s.viewed(bucket, func(b *memoryBucket) error {
		more = walk(b, after, show)
		return nil
	})
	return more, err
}

// walk shows the current objects after a position, and each common prefix once. It
// reports whether there are more than the page holds. After a position that is a
// common prefix, no key with that prefix follows; after a key with the prefix, the
// prefix is shown again.
func (l listing) walk(b *memoryBucket, after position, show func(v *version, common string)) (more bool) {
	return l.page(l.currentFrom(b, max(l.prefix, after.key)), func(key string) bool {
		return key > after.key && (!after.prefix || !strings.HasPrefix(key, after.key))
	}, show)
}

// walkTree is walk in the order of SeaweedFS (4.44, weed/s3api, doListFilerEntries).
// It compares names folder by folder, so that all of "a/…" comes at the place of "a",
// before "a-b". If the position does not begin with the prefix, it lists nothing
// (seaweedfs#11321). A start-after that is the name of a folder skips the folder.
func (l listing) walkTree(b *memoryBucket, after position, show func(v *version, common string)) (more bool) {
	if !strings.HasPrefix(after.key, l.prefix) && after.key != "" {
		return false
	}
	if l.delimiter != "" {
		after.key = strings.TrimSuffix(after.key, l.delimiter)
	}
	inTree := slices.SortedFunc(l.currentFrom(b, l.prefix), func(a, b *version) int { return cmp.Compare(treePath(a.key), treePath(b.key)) })
	return l.page(slices.Values(inTree), func(key string) bool {
		return after.key == "" || treePath(key) > treePath(after.key) && (!after.prefix || !strings.HasPrefix(key, after.key+"/"))
	}, show)
}

// treePath returns key in a form that sorts as in a tree: no character is before the slash.
func treePath(key string) string { return strings.ReplaceAll(key, "/", "\x00") }

// currentFrom yields the current objects with the listing's prefix, from a key on.
func (l listing) currentFrom(b *memoryBucket, start string) iter.Seq[*version] {
	return func(yield func(*version) bool) {
		keys := b.keys.Iter()
		for ok := keys.Seek(start); ok && strings.HasPrefix(keys.Key(), l.prefix); ok = keys.Next() {
			if v := keys.Value()[0]; !v.marker && !yield(v) {
				return
			}
		}
	}
}

// page shows one page of the versions whose key isAfter accepts.
func (l listing) page(versions iter.Seq[*version], isAfter func(key string) bool, show func(v *version, common string)) (more bool) {
	shown, last := 0, ""
	for v := range versions {
		if !isAfter(v.key) {
			continue
		}
		common, rolled := l.commonPrefix(v.key)
		if rolled && common == last {
			continue
		}
		if shown == l.max {
			return l.max > 0
		}
		shown++
		if rolled {
			last = common
			show(nil, common)
		} else {
			show(v, "")
		}
	}
	return false
}

func (s *memoryStore) listVersions(_ context.Context, bucket string, l listing, after versionPosition, show func(v *version, latest bool, common string)) (more bool, err error) {
	err = s.viewed(bucket, func(b *memoryBucket) error {
		more = l.walkVersions(b, after, show)
		return nil
	})
	return more, err
}

func (l listing) walkVersions(b *memoryBucket, after versionPosition, show func(v *version, latest bool, common string)) (more bool) {
	keys := b.keys.Iter()
	last, shown := "", 0
	for ok := keys.Seek(max(l.prefix, after.key)); ok && strings.HasPrefix(keys.Key(), l.prefix); ok = keys.Next() {
		common, rolled := l.commonPrefix(keys.Key())
		if rolled && (common == last || common == after.key) {
			continue
		}
		versions := keys.Value()
		for i := after.in(keys.Key(), versions); i < len(versions); i++ {
			if shown == l.max {
				return l.max > 0
			}
			shown++
			if rolled {
				last = common
				show(nil, false, common)
				break
			}
			show(versions[i], i == 0, "")
		}
	}
	return false
}

// in returns the index of the first version after the position.
func (p versionPosition) in(key string, versions []*version) int {
	if key != p.key {
		return 0
	}
	number, known := numberOf(p.id)
	i := slices.IndexFunc(versions, func(v *version) bool { return v.id == p.id || known && v.number < number })
	switch {
	case i < 0:
		return len(versions)
	case versions[i].id == p.id:
		return i + 1
	}
	return i
}

func (s *memoryStore) listUploads(_ context.Context, bucket string, l listing, after uploadPosition, show func(u *upload, common string)) (more bool, err error) {
	err = s.viewed(bucket, func(b *memoryBucket) error {
		last, shown := "", 0
		for _, u := range b.sortedUploads(after) {
			common, rolled := l.commonPrefix(u.upload.key)
			if !strings.HasPrefix(u.upload.key, l.prefix) || rolled && (common == last || common == after.key) {
				continue
			}
			if shown == l.max {
				more = true
				break
			}
			shown++
			if rolled {
				last = common
				show(nil, common)
				continue
			}
			show(&u.upload, "")
		}
		return nil
	})
	return more, err
}

// sortedUploads returns the uploads after a position, by key, and by time for one key.
func (b *memoryBucket) sortedUploads(after uploadPosition) []*memoryUpload {
	var all []*memoryUpload
	for _, u := range b.uploads {
		all = append(all, u)
	}
	slices.SortFunc(all, func(a, b *memoryUpload) int {
		return cmp.Or(strings.Compare(a.upload.key, b.upload.key), a.upload.initiated.Compare(b.upload.initiated), strings.Compare(a.upload.id, b.upload.id))
	})
	i := slices.IndexFunc(all, func(u *memoryUpload) bool { return u.upload.key > after.key })
	if after.id != "" {
		if at := slices.IndexFunc(all, func(u *memoryUpload) bool { return u.upload.key == after.key && u.upload.id == after.id }); at >= 0 {
			i = at + 1
		}
	}
	if i < 0 {
		return nil
	}
	return all[i:]
}
