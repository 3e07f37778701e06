package differential

import (
	"fmt"
	"hash/crc32"

	"github.com/omnibucket/storage"
)

var versionCalls = []call{
	{"Versions", versions},
	{"Download of a version", downloadVersion},
	{"Copy of a version", copyVersion},
	{"Remove of a version", removeVersion},
}

// versions compares listings of versions without delete markers, which some stores do not have.
func versions(p *player) string {
	prefix := choose(p, "", "b/", "z", "missing")
	size := choose(p, 1, 3, 1000)
	what := fmt.Sprintf("Versions below %q in pages of %d", prefix, size)
	return p.compare(what, noKey, func(b storage.Bucket) result {
		text := ""
		for entry, err := range storage.Versions(p.ctx, b, storage.WithPrefix(prefix), storage.WithPageSize(size)) {
			if err != nil {
				return result{text: text, err: err}
			}
			if entry.IsDeleteMarker {
				continue
			}
			replaced := !entry.NoncurrentSince.IsZero()
			text += fmt.Sprintf("%q of %d, current %v, replaced %v; ", entry.Key, entry.Size, entry.Current, replaced)
		}
		return result{text: text}
	})
}

// version returns a random revision that an earlier call has returned. It returns false if there is
// none, or if the buckets keep no versions.
func (p *player) version() (seen revision, ok bool) {
	if len(p.revisions) == 0 {
		return revision{}, false
	}
	seen = choose(p, p.revisions...)
	return seen, seen.memoryVersion != "" && seen.otherVersion != ""
}

// version returns the option that names the version in one of the two buckets.
func (r revision) version(inMemory bool) storage.VersionOption {
	if inMemory {
		return storage.WithVersion(r.memoryVersion)
	}
	return storage.WithVersion(r.otherVersion)
}

// downloadVersion compares reads of a version, which has its own id in each bucket. It returns "" if there
// is no version to read.
func downloadVersion(p *player) string {
	rev, ok := p.version()
	if !ok {
		return ""
	}
	return p.compareEach(
		fmt.Sprintf("Download %q, version %s or %s", rev.key, rev.memoryVersion, rev.otherVersion), rev.key,
		func(b storage.Bucket, inMemory bool) result {
			content, attrs, err := storage.ReadAll(p.ctx, b, rev.key, rev.version(inMemory))
			return result{
				text:  fmt.Sprintf("%d bytes, %x of %s", len(content), crc32.ChecksumIEEE(content), describe(attrs)),
				attrs: attrs,
				err:   err,
			}
		},
	)
}

// copyVersion compares copies of a version to its own key or another one. It returns "" if there
// is no version to copy.
func copyVersion(p *player) string {
	rev, ok := p.version()
	if !ok {
		return ""
	}
	dst := choose(p, rev.key, choose(p, keys...))
	return p.compareEach(
		fmt.Sprintf("Copy %q, version %s or %s, to %q", rev.key, rev.memoryVersion, rev.otherVersion, dst), dst,
		func(b storage.Bucket, inMemory bool) result {
			attrs, err := storage.Copy(p.ctx, b, dst, b, rev.key, rev.version(inMemory))
			return result{text: describe(attrs), attrs: attrs, err: err}
		},
	)
}

// removeVersion removes a version that is not current.
func removeVersion(p *player) string {
	const bypass = false
	return p.removeOldVersion(bypass)
}

// removeOldVersion compares removals of a version that is not current. It returns "" if there is no such
// version, because stores differ in which version is current after the current one was removed. bypass
// is true if the removal bypasses a retention.
func (p *player) removeOldVersion(bypass bool) string {
	rev, ok := p.version()
	if !ok {
		return ""
	}
	current, err := p.memory.Attrs(p.ctx, rev.key)
	isCurrent := err == nil && current.Version == rev.memoryVersion
	if isCurrent {
		return ""
	}

	what := fmt.Sprintf("Remove %q, version %s or %s, bypass %v", rev.key, rev.memoryVersion, rev.otherVersion, bypass)
	return p.compareEach(what, noKey, func(b storage.Bucket, inMemory bool) result {
		opts := []storage.RemoveOption{rev.version(inMemory)}
		if bypass {
			opts = append(opts, storage.WithGovernanceBypass())
		}
		return result{err: b.Remove(p.ctx, rev.key, opts...)}
	})
}
