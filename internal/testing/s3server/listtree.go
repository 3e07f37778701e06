package s3server

import (
	"cmp"
	"slices"
	"strings"
)

// walkTree is walk in the order of SeaweedFS (4.44, weed/s3api, doListFilerEntries):
// names are compared folder by folder, so that all of "a/…" comes where "a" does,
// before "a-b". A place that does not begin with the prefix lists nothing
// (seaweedfs#11321), and a start-after that is the name of a folder skips the folder.
func (l listing) walkTree(b *bucket, after place, show func(v *version, common string)) (more bool) {
	if !strings.HasPrefix(after.key, l.prefix) && after.key != "" {
		return false
	}
	if l.delimiter != "" {
		after.key = strings.TrimSuffix(after.key, l.delimiter)
	}
	var found []*version
	keys := b.keys.Iter()
	for ok := keys.Seek(l.prefix); ok && strings.HasPrefix(keys.Key(), l.prefix); ok = keys.Next() {
		if v := keys.Value()[0]; !v.marker {
			found = append(found, v)
		}
	}
	slices.SortFunc(found, func(a, b *version) int { return cmp.Compare(treePath(a.key), treePath(b.key)) })
	shown, last := 0, ""
	for _, v := range found {
		if after.key != "" && (treePath(v.key) <= treePath(after.key) || after.prefix && strings.HasPrefix(v.key, after.key+"/")) {
			continue
		}
		common, rolled := l.roll(v.key)
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

// treePath is a key as it sorts in a tree: no character comes before the slash.
func treePath(key string) string { return strings.ReplaceAll(key, "/", "\x00") }
