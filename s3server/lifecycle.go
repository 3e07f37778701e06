package s3server

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/omnibucket/storage/s3server/internal/lifecycle"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
)

// leastSizeHeader is the header that selects which small objects are not transitioned.
const leastSizeHeader = "X-Amz-Transition-Default-Minimum-Object-Size"

// putLifecycle replaces the lifecycle rules of the bucket. It adds an ID to each rule that has
// none.
func putLifecycle(r *request) error {
	if err := needDigest(r); err != nil {
		return err
	}
	config := lifecycle.Configuration{Least: lifecycle.SmallAnywhere}
	if value := r.in.Header.Get(leastSizeHeader); value != "" {
		config.Least = value
		if value != lifecycle.SmallAnywhere && value != lifecycle.SmallByClass {
			return s3error.New("InvalidRequest").WithMessage("Invalid TransitionDefaultMinimumObjectSize found: %s", value)
		}
	}
	if err := r.readXML(&config); err != nil {
		return err
	}
	r.w.Header().Set(leastSizeHeader, config.Least)
	return r.setting(http.StatusOK, func(b *state.Bucket) error {
		b.Lifecycle = &config
		return nil
	})
}

func getLifecycle(r *request) error {
	return show("LifecycleConfiguration", func(b *state.Bucket) (any, error) {
		if b.Lifecycle == nil {
			return nil, s3error.New("NoSuchLifecycleConfiguration", "BucketName", b.Name)
		}
		r.w.Header().Set(leastSizeHeader, b.Lifecycle.Least)
		return b.Lifecycle, nil
	})(r)
}

// headerClock computes the times in response headers. It has days of 24 hours, even if
// Config.LifecycleDay is shorter, so that clients see the times of AWS.
var headerClock = lifecycle.Clock{Day: lifecycle.FullDay}

// RunLifecycle applies the lifecycle rules of all buckets once, at the time of Config.Now. It
// removes objects, versions, delete markers and uploads, and changes storage classes. It skips
// versions that an object lock protects. It looks up each key before removing anything, so a stale
// listing does no harm. [Handler.Run] calls it 24 times in each Config.LifecycleDay.
func (h *Handler) RunLifecycle() { h.runLifecycle(context.Background()) }

func (h *Handler) runLifecycle(ctx context.Context) {
	var all []*state.Bucket
	// If the listing fails, a later run handles the buckets that are missing.
	_ = h.store.ListBuckets(ctx, "", func(b *state.Bucket) bool {
		if b.Lifecycle.Rules() != nil {
			all = append(all, b)
		}
		return true
	})
	clock := lifecycle.Clock{Now: h.now(), Day: h.config.LifecycleDay}
	for _, b := range all {
		run := &lifecycleRun{h, ctx, b, clock}
		run.expireUploads()
		run.expireVersions()
	}
}

// A lifecycleRun applies the rules of one bucket once. If something fails, a later run tries it
// again.
type lifecycleRun struct {
	server *Handler
	ctx    context.Context
	bucket *state.Bucket
	clock  lifecycle.Clock
}

// hasRules reads the rules of the bucket again, and reports whether there are any. They may have
// been changed or removed since the run began.
func (l *lifecycleRun) hasRules() bool {
	b, err := l.server.store.Bucket(l.ctx, l.bucket.Name)
	if err == nil {
		l.bucket = b
	}
	return err == nil && b.Lifecycle.Rules() != nil
}

// lifecyclePage is the number of versions or uploads that are listed at a time.
const lifecyclePage = 1000

// expireUploads aborts the uploads whose time is over by a rule.
func (l *lifecycleRun) expireUploads() {
	var pos state.UploadPosition
	for hasMore := true; hasMore; {
		var page []*state.Upload
		var err error
		hasMore, err = l.server.store.ListUploads(
			l.ctx, l.bucket.Name, state.Listing{Max: lifecyclePage}, pos,
			func(u *state.Upload, _ string) {
				page = append(page, u)
			},
		)
		if err != nil || len(page) == 0 {
			return
		}
		for _, u := range page {
			pos = state.UploadPosition{Key: u.Key, ID: u.ID}
			if l.isOver(u) && l.hasRules() && l.isOver(l.uploadNow(u)) {
				_ = l.server.store.Abort(l.ctx, u)
			}
		}
	}
}

// isOver reports whether the rules abort an upload now. It returns false if u is nil.
func (l *lifecycleRun) isOver(u *state.Upload) bool {
	return u != nil && l.bucket.Lifecycle.Abortion(u.Key, u.Initiated, l.clock).IsOver(l.clock.Now)
}

// uploadNow looks up a listed upload. It returns nil if the upload has ended.
func (l *lifecycleRun) uploadNow(u *state.Upload) *state.Upload {
	upload, err := l.server.store.Upload(l.ctx, u.Bucket, u.Key, u.ID)
	if err != nil {
		return nil
	}
	return upload
}

// expireVersions applies the rules to all keys of the bucket.
func (l *lifecycleRun) expireVersions() {
	var pos state.VersionPosition
	var versions []*state.Version // all versions of one key, the newest first
	for hasMore := true; hasMore; {
		var page []*state.Version
		var err error
		hasMore, err = l.server.store.ListVersions(
			l.ctx, l.bucket.Name, state.Listing{Max: lifecyclePage}, pos,
			func(v *state.Version, _ bool, _ string) {
				page = append(page, v)
			},
		)
		if err != nil || hasMore && len(page) == 0 {
			return
		}
		for _, v := range page {
			if len(versions) > 0 && versions[0].Key != v.Key {
				l.expireKey(versions)
				versions = nil
			}
			versions = append(versions, v)
			pos = state.VersionPosition{Key: v.Key, ID: v.ID}
		}
	}
	l.expireKey(versions)
}

// expireKey applies the rules to the versions of one key. The slice begins with the newest version.
// expireKey begins with the oldest version, because a delete marker expires only when no other
// version is left. The listing may be stale, so expireKey looks up the versions in the store before
// it changes anything.
func (l *lifecycleRun) expireKey(versions []*state.Version) {
	facts := factsOf(versions)
	acts := func(i int) lifecycle.Action { return l.bucket.Lifecycle.Action(facts, i, l.clock) }
	due := false
	for i := range versions {
		due = due || acts(i) != lifecycle.Action{}
	}
	if !due || !l.hasRules() {
		return
	}
	versions = l.versionsNow(versions)
	facts = factsOf(versions)
	for i := len(versions) - 1; i >= 0; i-- {
		act := acts(i)
		if act.Expire && l.expire(versions[i], i == 0) {
			versions = slices.Delete(versions, i, i+1)
			facts = slices.Delete(facts, i, i+1)
		} else if act.Class != "" {
			l.setClass(versions[i], act.Class)
		}
	}
}

// versionsNow looks up the listed versions of a key, and returns those that still exist. If another
// version is current now, or if the store fails, it returns none, and a later run handles the key.
func (l *lifecycleRun) versionsNow(listed []*state.Version) (found []*state.Version) {
	for i, v := range listed {
		name := state.VersionName{Bucket: l.bucket.Name, Key: v.Key, ID: v.ID}
		if i == 0 {
			name.ID = ""
		}
		current, _, err := l.server.store.Find(l.ctx, name)
		l.server.store.Release(current) // only the attributes are needed
		if err != nil || i == 0 && (current == nil || current.ID != v.ID) {
			return nil
		}
		if current != nil {
			found = append(found, current)
		}
	}
	return found
}

func factsOf(versions []*state.Version) []lifecycle.Version {
	facts := make([]lifecycle.Version, len(versions))
	for i, v := range versions {
		facts[i] = lifecycleFacts(v)
	}
	return facts
}

// lifecycleFacts converts a version to the type that package lifecycle uses.
func lifecycleFacts(v *state.Version) lifecycle.Version {
	o := &v.Object
	return lifecycle.Version{
		Key:      v.Key,
		Marker:   v.Marker,
		Size:     o.Size,
		Class:    o.Properties.Class,
		Tags:     o.Properties.Tags,
		Modified: v.Modified,
	}
}

// expire removes a version permanently. If the version is the current object, it removes the object
// as a client would, perhaps with a delete marker. It returns false if the removal failed.
func (l *lifecycleRun) expire(v *state.Version, current bool) bool {
	r := &state.RemoveRequest{
		VersionName: state.VersionName{Bucket: l.bucket.Name, Key: v.Key, ID: v.ID},
		Written:     v.Modified,
		Account:     l.bucket.Account,
	}
	if current && !v.Marker {
		r.ID = ""
		r.Condition.Match = v.Object.ETag
	}
	removal, err := l.server.store.Remove(l.ctx, r)
	if err == nil && !removal.Missing {
		l.server.publish(l.ctx, l.bucket.Name, []Event{removedEvent("LifecycleExpiration", r.Key, r.ID, removal)})
	}
	return err == nil
}

// setClass changes the storage class of a version. It does nothing if the version was replaced in
// the meantime.
func (l *lifecycleRun) setClass(v *state.Version, class string) {
	version, versionID, err := l.server.store.Change(
		l.ctx, state.VersionName{Bucket: l.bucket.Name, Key: v.Key, ID: v.ID},
		func(_ *state.Bucket, current *state.Version) error {
			if current.Object.ETag != v.Object.ETag || !current.Modified.Equal(v.Modified) {
				return s3error.New("PreconditionFailed")
			}
			current.Object.Properties.Class = class
			current.Object.Restored = state.Restored{}
			return nil
		},
	)
	if err == nil {
		l.server.publish(l.ctx, l.bucket.Name, []Event{{
			Name:      "LifecycleTransition",
			Key:       v.Key,
			Size:      v.Object.Size,
			ETag:      strings.Trim(version.Object.ETag, `"`),
			VersionID: versionID,
		}})
	}
}

// showExpiration adds the header X-Amz-Expiration, if a rule will remove the object.
func showExpiration(r *request, v *state.Version) {
	if d := lifecycleOf(r).Expiry(lifecycleFacts(v), headerClock); d.Rule != "" {
		r.w.Header().Set(
			"X-Amz-Expiration",
			`expiry-date="`+d.At.Format(http.TimeFormat)+`", rule-id="`+url.QueryEscape(d.Rule)+`"`,
		)
	}
}

// showAbortion adds the headers X-Amz-Abort-*, if a rule will abort the upload.
func showAbortion(r *request, u *state.Upload) {
	if d := lifecycleOf(r).Abortion(u.Key, u.Initiated, headerClock); d.Rule != "" {
		r.w.Header().Set("X-Amz-Abort-Date", d.At.Format(http.TimeFormat))
		r.w.Header().Set("X-Amz-Abort-Rule-Id", url.QueryEscape(d.Rule))
	}
}

// lifecycleOf returns the lifecycle rules of the request's bucket, or nil.
func lifecycleOf(r *request) *lifecycle.Configuration {
	b, err := r.bucket()
	if err != nil {
		return nil
	}
	return b.Lifecycle
}
