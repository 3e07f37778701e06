package s3server

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/omnibucket/storage/s3server/internal/s3error"
)

const fullDay = 24 * time.Hour

// A lifecycleClock says when rules act.
type lifecycleClock struct {
	now time.Time
	day time.Duration
}

// after returns when a rule acts that waits for days. AWS adds the days and then waits for the next
// midnight in UTC. A shorter day has no midnight.
func (c lifecycleClock) after(t time.Time, days int) time.Time {
	if c.day == fullDay {
		t = t.UTC().Truncate(fullDay).Add(fullDay)
	}
	return t.Add(time.Duration(days) * c.day)
}

// RunLifecycle applies the lifecycle rules of all buckets once, at the time of Config.Now. It
// removes objects, versions, delete markers and uploads, and changes storage classes. It skips
// versions that an object lock protects. [Handler.Run] calls it 24 times a day.
func (h *Handler) RunLifecycle() { h.runLifecycle(context.Background()) }

func (h *Handler) runLifecycle(ctx context.Context) {
	var all []*bucket
	_ = h.store.listBuckets(ctx, "", func(b *bucket) bool { // a later run sees what this one misses
		if b.lifecycle.rules() != nil {
			all = append(all, b)
		}
		return true
	})
	clock := lifecycleClock{h.now(), h.config.LifecycleDay}
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
	clock  lifecycleClock
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
			if l.bucket.lifecycle.abortion(u, l.clock).isOver(l.clock.now) {
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
	for i := len(versions) - 1; i >= 0; i-- {
		act := l.bucket.lifecycle.action(versions, i, l.clock)
		switch {
		case act.expire && l.expire(versions[i], i == 0):
			versions = slices.Delete(versions, i, i+1)
		case act.class != "":
			l.setClass(versions[i], act.class)
		}
	}
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

// abortion returns when an upload is removed and by which rule, or a zero time.
func (c *lifecycleConfiguration) abortion(u *upload, clock lifecycleClock) (first deadline) {
	for _, rule := range c.rules() {
		if a := rule.AbortIncompleteMultipartUpload; a != nil && strings.HasPrefix(u.key, rule.scope().prefix) {
			first = first.orEarlier(deadline{clock.after(u.initiated, *a.DaysAfterInitiation), rule.ID})
		}
	}
	return first
}

// A deadline is when a rule acts. The zero value is never.
type deadline struct {
	at   time.Time
	rule string
}

func (d deadline) orEarlier(other deadline) deadline {
	if d.rule == "" || other.at.Before(d.at) {
		return other
	}
	return d
}

// isOver reports whether the deadline is not after now.
func (d deadline) isOver(now time.Time) bool { return d.rule != "" && !now.Before(d.at) }

// rules returns the rules that are enabled.
func (c *lifecycleConfiguration) rules() (rules []*lifecycleRule) {
	if c == nil {
		return nil
	}
	for i := range c.Rule {
		if c.Rule[i].Status == enabled {
			rules = append(rules, &c.Rule[i])
		}
	}
	return rules
}

// A lifecycleAction is what happens to one version. The zero value is nothing.
type lifecycleAction struct {
	expire bool
	class  string // the new storage class
}

// action returns what happens to versions[i]. The versions are those of a key, newest first. An
// expiration wins over a transition, and a colder class over another.
func (c *lifecycleConfiguration) action(versions []*version, i int, clock lifecycleClock) (act lifecycleAction) {
	v := versions[i]
	for _, rule := range c.rules() {
		scope := rule.scope()
		if !scope.has(v) {
			continue
		}
		if rule.expires(versions, i, clock) {
			return lifecycleAction{expire: true}
		}
		for _, class := range rule.transitions(versions, i, clock) {
			colder := slices.Index(coldness, class) > max(slices.Index(coldness, v.object.properties.class), slices.Index(coldness, act.class))
			if colder && (scope.sized() || v.object.size >= leastSize(class, c.Least)) {
				act.class = class
			}
		}
	}
	return act
}

// leastSize returns the size in bytes below which an object is not transitioned by a rule without
// sizes.
func leastSize(class, least string) int64 {
	if least == smallByClass && (class == "GLACIER" || class == "DEEP_ARCHIVE") {
		return 0
	}
	return 128 << 10
}

// expires reports whether the rule, which is about versions[i], removes it now.
func (r *lifecycleRule) expires(versions []*version, i int, clock lifecycleClock) bool {
	if i > 0 {
		e := r.NoncurrentVersionExpiration
		return e != nil && i > count(e.NewerNoncurrentVersions) && !clock.now.Before(clock.after(versions[i-1].modified, *e.NoncurrentDays))
	}
	e, v := r.Expiration, versions[0]
	if e == nil || v.marker && len(versions) > 1 {
		return false
	}
	if v.marker && e.ExpiredObjectDeleteMarker != nil {
		return *e.ExpiredObjectDeleteMarker
	}
	return r.expiration(v, clock).isOver(clock.now)
}

// expiration returns when the rule removes a version that stays current.
func (r *lifecycleRule) expiration(v *version, clock lifecycleClock) deadline {
	switch e := r.Expiration; {
	case e == nil:
	case e.Days != nil:
		return deadline{clock.after(v.modified, *e.Days), r.ID}
	case e.Date != "":
		return deadline{e.Date.time(), r.ID}
	}
	return deadline{}
}

// transitions returns the storage classes that the rule, which is about versions[i], gives it by
// now.
func (r *lifecycleRule) transitions(versions []*version, i int, clock lifecycleClock) (classes []string) {
	v := versions[i]
	if v.marker {
		return nil
	}
	if i > 0 {
		for _, t := range r.NoncurrentVersionTransition {
			if i > count(t.NewerNoncurrentVersions) && !clock.now.Before(clock.after(versions[i-1].modified, *t.NoncurrentDays)) {
				classes = append(classes, t.StorageClass)
			}
		}
		return classes
	}
	for _, t := range r.Transition {
		at := t.Date.time()
		if t.Days != nil {
			at = clock.after(v.modified, *t.Days)
		}
		if !clock.now.Before(at) {
			classes = append(classes, t.StorageClass)
		}
	}
	return classes
}

// count returns a count that may be missing.
func count(n *int) int {
	if n == nil {
		return 0
	}
	return *n
}

// expiry returns when the rules remove a version that stays current, or a zero deadline.
func (c *lifecycleConfiguration) expiry(v *version, clock lifecycleClock) (first deadline) {
	for _, rule := range c.rules() {
		if d := rule.expiration(v, clock); d.rule != "" && rule.scope().has(v) {
			first = first.orEarlier(d)
		}
	}
	return first
}

// headerClock counts days of 24 hours, whatever Config.LifecycleDay is.
var headerClock = lifecycleClock{day: fullDay}

// showExpiration writes the header that tells when a version expires that is current.
func showExpiration(r *request, v *version) {
	if d := lifecycle(r).expiry(v, headerClock); d.rule != "" {
		r.w.Header().Set("X-Amz-Expiration", `expiry-date="`+d.at.Format(http.TimeFormat)+`", rule-id="`+url.QueryEscape(d.rule)+`"`)
	}
}

// showAbortion writes the headers that tell when an upload is removed.
func showAbortion(r *request, u *upload) {
	if d := lifecycle(r).abortion(u, headerClock); d.rule != "" {
		r.w.Header().Set("X-Amz-Abort-Date", d.at.Format(http.TimeFormat))
		r.w.Header().Set("X-Amz-Abort-Rule-Id", url.QueryEscape(d.rule))
	}
}

// lifecycle returns the rules of the bucket, or nil.
func lifecycle(r *request) (c *lifecycleConfiguration) {
	_ = r.view(func(b *bucket) error {
		c = b.lifecycle
		return nil
	})
	return c
}
