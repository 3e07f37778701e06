package transfer

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/running"
)

// The type expiring is an object or a version of an object, which a rule removes if it is old enough.
type expiring struct {
	storage.VersionEntry
	age     time.Duration // 0 for an object; for a version, it is the OldVersionsAge of the rule
	since   time.Time     // for a version, the time since which it is not current
	selects tagSelector
}

// isVersion reports whether v is a version, and not an object.
func (v expiring) isVersion() bool { return v.age > 0 }

// A tagSelector selects objects that have the tags of one rule, and not the tags of an earlier
// rule. If several rules selected the same object, a dry run would count the object several times.
type tagSelector struct {
	tags    map[string]string
	earlier []map[string]string // the tags of each earlier rule; a rule with no tags selects every object
}

// selector returns a tagSelector for an object or version and the rule with an index. It leaves the object
// to an earlier rule whose tags the object has, if it is old enough for that rule.
func (e *expiry) selector(rule int, v expiring) tagSelector {
	s := tagSelector{tags: e.rules[rule].Tags}
	for _, earlier := range e.rules[:rule] {
		if strings.HasPrefix(v.Key, earlier.Prefix) && e.isOld(v, earlier) {
			s.earlier = append(s.earlier, earlier.Tags)
		}
	}
	return s
}

// neverSelects reports whether an earlier rule selects all objects. No object is then left for s.
func (s tagSelector) neverSelects() bool {
	return slices.ContainsFunc(s.earlier, func(tags map[string]string) bool { return len(tags) == 0 })
}

// needsTags reports whether tags must be read. It returns false if s selects every object.
func (s tagSelector) needsTags() bool { return len(s.tags) > 0 || len(s.earlier) > 0 }

// matches reports whether s selects an object with the given tags. The object must have the tags of the
// rule, and no earlier rule may select it.
func (s tagSelector) matches(tags map[string]string) bool {
	if !containsAll(tags, s.tags) {
		return false
	}
	for _, earlierTags := range s.earlier {
		if containsAll(tags, earlierTags) {
			return false
		}
	}
	return true
}

// containsAll reports whether tags contains each tag of want, with the same value.
func containsAll(tags, want map[string]string) bool {
	for key, value := range want {
		if got, ok := tags[key]; !ok || got != value {
			return false
		}
	}
	return true
}

// hasTags reads the tags of an object, and reports whether they select it. It counts a failure if they
// cannot be read. An object that no longer exists is not selected.
func (e *expiry) hasTags(ctx context.Context, object expiring) bool {
	var opts []storage.AttrsOption
	if object.isVersion() {
		// The tags of a version may differ from those of the object.
		opts = append(opts, storage.WithVersion(object.Version))
	}
	tags, err := storage.Tags(ctx, e.bucket, object.Key, opts...)
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return false
	}
	if err != nil {
		e.reporter.countDestinationFailure(ctx, object.Key, err)
		return false
	}
	return object.selects.matches(tags)
}

// selectByTags returns the objects of the group that are selected by their tags, in their order. It
// reads the tags of several objects in parallel.
func (e *expiry) selectByTags(ctx context.Context, group []expiring) []expiring {
	slots := newSemaphore(e.settings.concurrency)
	var readers running.Group
	isSelected := make([]bool, len(group)) // for each object
	for i, object := range group {
		if !object.selects.needsTags() {
			isSelected[i] = true
			continue
		}

		if !slots.acquire(ctx, 1) {
			// The context is done.
			break
		}
		readTags := func() {
			defer slots.release(1)
			isSelected[i] = e.hasTags(ctx, object)
			slots.ended(0, 1)
		}
		readers.Go(readTags, nil)
	}
	readers.Wait()

	var selected []expiring
	for i, object := range group {
		if isSelected[i] {
			selected = append(selected, object)
		}
	}
	return selected
}
