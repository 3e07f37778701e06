// Package expiry applies the lifecycle rules of buckets to their objects and uploads. Its entry point is
// [Run].
package expiry

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"

	"github.com/omnibucket/storage/s3server/internal/events"
	"github.com/omnibucket/storage/s3server/internal/lifecycle"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
)

// Run applies the lifecycle rules of all buckets once, at the time of the clock, and sends the events of what it
// removes or changes.
func Run(ctx context.Context, store state.Store, sender *events.Sender, clock lifecycle.Clock) {
	// If the listing fails, a later run handles the buckets that are missing.
	var withRules []*state.Bucket
	for b, err := range store.ListBuckets(ctx, "") {
		if err != nil {
			break
		}
		if b.Lifecycle.Rules() != nil {
			withRules = append(withRules, b)
		}
	}

	for _, b := range withRules {
		run := &bucketRun{store: store, sender: sender, ctx: ctx, bucket: b, clock: clock}
		run.expireUploads()
		run.expireVersions()
	}
}

// A bucketRun applies the rules of one bucket once. If something fails, a later run tries it
// again. It keeps ctx, because it lives only as long as the call of Run that made it.
type bucketRun struct {
	store  state.Store
	sender *events.Sender
	ctx    context.Context
	bucket *state.Bucket
	clock  lifecycle.Clock
}

// hasRules reads the rules of the bucket again, because they may have changed since the run began, and reports whether
// there are any.
func (l *bucketRun) hasRules() bool {
	b, err := l.store.Bucket(l.ctx, l.bucket.Name)
	if err != nil {
		return false
	}
	l.bucket = b
	return b.Lifecycle.Rules() != nil
}

// pageSize is the number of versions or uploads that are listed at a time.
const pageSize = 1000

// expireUploads aborts the uploads that have been incomplete for as long as a rule permits.
func (l *bucketRun) expireUploads() {
	for u, err := range l.uploads() {
		if err != nil {
			// The next run tries again.
			return
		}
		// If the upload is due, check that the rules still exist, and the upload as it is now.
		if l.isExpired(u) && l.hasRules() && l.isExpired(l.uploadNow(u)) {
			// If this fails, the next run tries again.
			_ = l.store.Abort(l.ctx, u)
		}
	}
}

// uploads yields all uploads to the bucket, until an error.
func (l *bucketRun) uploads() iter.Seq2[*state.Upload, error] {
	return func(yield func(*state.Upload, error) bool) {
		var pos state.UploadPosition
		for {
			var page []*state.Upload
			hasMore, err := l.store.ListUploads(
				l.ctx, l.bucket.Name, state.Listing{Max: pageSize}, pos,
				func(u *state.Upload, _ string) {
					page = append(page, u)
				},
			)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, u := range page {
				if !yield(u, nil) {
					return
				}
			}

			// A page without uploads cannot advance the position.
			if !hasMore || len(page) == 0 {
				return
			}
			last := page[len(page)-1]
			pos = state.UploadPosition{Key: last.Key, ID: last.ID}
		}
	}
}

// isExpired reports whether the rules abort an upload now. It returns false if u is nil.
func (l *bucketRun) isExpired(u *state.Upload) bool {
	return u != nil && l.bucket.Lifecycle.Abortion(u.Key, u.Initiated, l.clock).IsOver(l.clock.Now)
}

// uploadNow returns a listed upload as it is now, or nil if it has ended.
func (l *bucketRun) uploadNow(u *state.Upload) *state.Upload {
	upload, err := l.store.Upload(l.ctx, u.Bucket, u.Key, u.ID)
	if err != nil {
		return nil
	}
	return upload
}

// expireVersions applies the rules to all keys of the bucket.
func (l *bucketRun) expireVersions() {
	var versions []*state.Version // all versions of one key, the newest first
	for v, err := range l.versions() {
		if err != nil {
			// The next run tries again.
			return
		}
		isNextKey := len(versions) > 0 && versions[0].Key != v.Key
		if isNextKey {
			l.expireKey(versions)
			versions = nil
		}
		versions = append(versions, v)
	}

	// No other key follows the last one.
	l.expireKey(versions)
}

var errEmptyPage = errors.New("a page of versions is empty, but not the last")

// versions yields all versions of the bucket, sorted by key and then from the newest to the oldest, until an error.
func (l *bucketRun) versions() iter.Seq2[*state.Version, error] {
	return func(yield func(*state.Version, error) bool) {
		var pos state.VersionPosition
		for {
			var page []*state.Version
			hasMore, err := l.store.ListVersions(
				l.ctx, l.bucket.Name, state.Listing{Max: pageSize}, pos,
				func(v *state.Version, _ bool, _ string) {
					page = append(page, v)
				},
			)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, v := range page {
				if !yield(v, nil) {
					return
				}
			}

			if !hasMore {
				return
			}
			if len(page) == 0 {
				// The position cannot advance, so the same page would follow forever.
				yield(nil, errEmptyPage)
				return
			}
			last := page[len(page)-1]
			pos = state.VersionPosition{Key: last.Key, ID: last.ID}
		}
	}
}

// expireKey applies the rules to the versions of one key, which are sorted from the newest to the oldest. It begins
// with the oldest, because a delete marker expires only when no other version is left. The listing may be stale, so
// expireKey looks up the versions in the store before it changes anything.
func (l *bucketRun) expireKey(versions []*state.Version) {
	if !l.isDue(factsOf(versions)) || !l.hasRules() {
		return
	}

	// Both slices describe the same versions, so each removal is made in both.
	versions = l.versionsNow(versions)
	facts := factsOf(versions)
	for i := len(versions) - 1; i >= 0; i-- {
		action := l.bucket.Lifecycle.Action(facts, i, l.clock)
		isCurrent := i == 0
		if action.Expire && l.expire(versions[i], isCurrent) {
			// The number of the versions that remain decides what happens to a delete marker.
			versions = slices.Delete(versions, i, i+1)
			facts = slices.Delete(facts, i, i+1)
		} else if action.Class != "" {
			l.setClass(versions[i], action.Class)
		}
	}
}

// isDue reports whether the rules do anything with one of the versions of a key now.
func (l *bucketRun) isDue(versions []lifecycle.Version) bool {
	for i := range versions {
		if l.bucket.Lifecycle.Action(versions, i, l.clock) != (lifecycle.Action{}) {
			return true
		}
	}
	return false
}

// versionsNow returns those of the listed versions of a key that still exist. If another version is current now, or the
// store fails, it returns none, and a later run handles the key.
func (l *bucketRun) versionsNow(versions []*state.Version) (found []*state.Version) {
	for i, listed := range versions {
		// Without an id, find returns the version that is current now, which may be another one.
		isCurrent := i == 0
		id := listed.ID
		if isCurrent {
			id = ""
		}

		v, err := l.find(listed.Key, id)
		if err != nil {
			return nil
		}
		isReplaced := isCurrent && (v == nil || v.ID != listed.ID)
		if isReplaced {
			return nil
		}
		if v != nil {
			found = append(found, v)
		}
	}
	return found
}

// find returns the attributes of a version, or nil if there is none. If id is "", it is the current version of the key.
func (l *bucketRun) find(key, id string) (*state.Version, error) {
	v, _, err := l.store.Find(l.ctx, state.VersionName{Bucket: l.bucket.Name, Key: key, ID: id})
	// The content is not needed. Release permits nil.
	l.store.Release(v)
	return v, err
}

// factsOf returns the properties of versions on which the rules depend.
func factsOf(versions []*state.Version) []lifecycle.Version {
	facts := make([]lifecycle.Version, len(versions))
	for i, v := range versions {
		facts[i] = v.LifecycleFacts()
	}
	return facts
}

// expire removes a version permanently, or a current object as a client would, perhaps with a delete marker. It returns
// false if the removal failed.
func (l *bucketRun) expire(v *state.Version, isCurrent bool) bool {
	r := &state.RemoveRequest{
		VersionName: state.VersionName{Bucket: l.bucket.Name, Key: v.Key, ID: v.ID},
		Written:     v.Modified,
		Account:     l.bucket.Account,
	}
	if isCurrent && !v.Marker {
		// Remove the current object, unless another write has replaced it in the meantime.
		r.ID = ""
		r.Condition.Match = v.Object.ETag
	}

	removal, err := l.store.Remove(l.ctx, r)
	if err != nil {
		return false
	}
	if !removal.Missing {
		l.sender.Publish(l.ctx, l.bucket.Name, []events.Event{events.Removed("LifecycleExpiration", r.Key, r.ID, removal)})
	}
	return true
}

// setClass changes the storage class of a version, unless the version was replaced in the meantime.
func (l *bucketRun) setClass(v *state.Version, class string) {
	version, versionID, err := l.store.Change(
		l.ctx, state.VersionName{Bucket: l.bucket.Name, Key: v.Key, ID: v.ID},
		func(_ *state.Bucket, current *state.Version) error {
			wasReplaced := current.Object.ETag != v.Object.ETag || !current.Modified.Equal(v.Modified)
			if wasReplaced {
				return s3error.New("PreconditionFailed")
			}
			current.Object.Properties.Class = class
			current.Object.Restored = state.Restored{}
			return nil
		},
	)
	if err != nil {
		// The next run tries again, if the rule still applies then.
		return
	}
	l.sender.Publish(l.ctx, l.bucket.Name, []events.Event{{
		Name:      "LifecycleTransition",
		Key:       v.Key,
		Size:      v.Object.Size,
		ETag:      strings.Trim(version.Object.ETag, `"`),
		VersionID: versionID,
	}})
}
