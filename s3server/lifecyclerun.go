package s3server

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/omnibucket/storage/s3server/internal/lifecycle"
	"github.com/omnibucket/storage/s3server/internal/s3error"
)

// headerClock counts days of 24 hours, whatever Config.LifecycleDay is.
var headerClock = lifecycle.Clock{Day: lifecycle.FullDay}

// RunLifecycle applies the lifecycle rules of all buckets once, at the time of Config.Now. It
// removes objects, versions, delete markers and uploads, and changes storage classes. It skips
// versions that an object lock protects. [Handler.Run] calls it 24 times a day.
func (h *Handler) RunLifecycle() { h.runLifecycle(context.Background()) }

func (h *Handler) runLifecycle(ctx context.Context) {
	var all []*bucket
	_ = h.store.listBuckets(ctx, "", func(b *bucket) bool { // a later run sees what this one misses
		if b.lifecycle.Rules() != nil {
			all = append(all, b)
		}
		return true
	})
	clock := lifecycle.Clock{Now: h.now(), Day: h.config.LifecycleDay}
	for _, b := range all {
		run := lifecycleRun{h, ctx, b, clock}
		run.expireUploads()
		run.expireVersions()
	}
}

// keepLifecycle runs the rules until ctx ends.
func (h *Handler) keepLifecycle(ctx context.Context) {
	ticker := time.NewTicker(max(h.config.LifecycleDay/24, time.Millisecond))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			h.runLifecycle(ctx)
		}
	}
}

// A lifecycleRun applies the rules of one bucket. Whatever fails is left to a later run.
type lifecycleRun struct {
	server *Handler
	ctx    context.Context
	bucket *bucket
	clock  lifecycle.Clock
}

// lifecyclePage is the number of versions or uploads that are read at once.
const lifecyclePage = 1000

// expireUploads removes uploads that have waited too long.
func (l lifecycleRun) expireUploads() {
	var after uploadPosition
	for more := true; more; {
		var page []*upload
		var err error
		more, err = l.server.store.listUploads(l.ctx, l.bucket.name, listing{max: lifecyclePage}, after, func(u *upload, _ string) { page = append(page, u) })
		if err != nil || len(page) == 0 {
			return
		}
		last := page[len(page)-1]
		after = uploadPosition{last.key, last.id}
		for _, u := range page {
			if l.bucket.lifecycle.Abortion(u.key, u.initiated, l.clock).IsOver(l.clock.Now) {
				_ = l.server.store.abort(l.ctx, u)
			}
		}
	}
}

// expireVersions applies the rules to each key, with all of its versions.
func (l lifecycleRun) expireVersions() {
	var after versionPosition
	var versions []*version // of one key, newest first
	for more := true; more; {
		var page []*version
		var err error
		more, err = l.server.store.listVersions(l.ctx, l.bucket.name, listing{max: lifecyclePage}, after, func(v *version, _ bool, _ string) { page = append(page, v) })
		if err != nil {
			return
		}
		for _, v := range page {
			if len(versions) > 0 && versions[0].key != v.key {
				l.expireKey(versions)
				versions = nil
			}
			versions = append(versions, v)
			after = versionPosition{v.key, v.id}
		}
	}
	l.expireKey(versions)
}

// expireKey applies the rules to the versions of a key, newest first. It begins with the oldest,
// because a delete marker expires when it is alone.
func (l lifecycleRun) expireKey(versions []*version) {
	facts := make([]lifecycle.Version, len(versions))
	for i, v := range versions {
		facts[i] = lifecycleFacts(v)
	}
	for i := len(versions) - 1; i >= 0; i-- {
		act := l.bucket.lifecycle.Action(facts, i, l.clock)
		switch {
		case act.Expire && l.expire(versions[i], i == 0):
			versions, facts = slices.Delete(versions, i, i+1), slices.Delete(facts, i, i+1)
		case act.Class != "":
			l.setClass(versions[i], act.Class)
		}
	}
}

// lifecycleFacts returns what rules ask about a version.
func lifecycleFacts(v *version) lifecycle.Version {
	o := &v.object
	return lifecycle.Version{Key: v.key, Marker: v.marker, Size: o.size, Class: o.properties.class, Tags: o.properties.tags, Modified: v.modified}
}

// expire removes a version for good, or the current object as a client would. It reports whether
// it has done so.
func (l lifecycleRun) expire(v *version, current bool) bool {
	r := &removeRequest{versionName: versionName{l.bucket.name, v.key, v.id}, account: l.bucket.account}
	if current && !v.marker {
		r.id, r.condition.match = "", v.object.etag
	}
	gone, err := l.server.store.remove(l.ctx, r)
	if err == nil && !gone.missing {
		l.server.publish(l.ctx, l.bucket.name, []Event{removedEvent("LifecycleExpiration", r, gone)})
	}
	return err == nil
}

// setClass changes the storage class of a version, unless it was replaced meanwhile.
func (l lifecycleRun) setClass(v *version, class string) {
	changed, shown, err := l.server.store.change(l.ctx, versionName{l.bucket.name, v.key, v.id}, func(_ *bucket, changed *version) error {
		if changed.object.etag != v.object.etag || !changed.modified.Equal(v.modified) {
			return s3error.New("PreconditionFailed")
		}
		changed.object.properties.class, changed.object.restored = class, restored{}
		return nil
	})
	if err == nil {
		l.server.publish(l.ctx, l.bucket.name, []Event{{
			Name: "LifecycleTransition", Key: v.key, Size: v.object.size, ETag: strings.Trim(changed.object.etag, `"`), VersionID: shown,
		}})
	}
}

// showExpiration writes the header that tells when a version expires that is current.
func showExpiration(r *request, v *version) {
	if d := lifecycleOf(r).Expiry(lifecycleFacts(v), headerClock); d.Rule != "" {
		r.w.Header().Set("X-Amz-Expiration", `expiry-date="`+d.At.Format(http.TimeFormat)+`", rule-id="`+url.QueryEscape(d.Rule)+`"`)
	}
}

// showAbortion writes the headers that tell when an upload is removed.
func showAbortion(r *request, u *upload) {
	if d := lifecycleOf(r).Abortion(u.key, u.initiated, headerClock); d.Rule != "" {
		r.w.Header().Set("X-Amz-Abort-Date", d.At.Format(http.TimeFormat))
		r.w.Header().Set("X-Amz-Abort-Rule-Id", url.QueryEscape(d.Rule))
	}
}

// lifecycleOf returns the rules of the bucket, or nil.
func lifecycleOf(r *request) (c *lifecycle.Configuration) {
	_ = r.view(func(b *bucket) error {
		c = b.lifecycle
		return nil
	})
	return c
}
