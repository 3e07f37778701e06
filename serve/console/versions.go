package console

import (
	"net/http"
	"time"

	"github.com/omnibucket/storage"
)

// maxScan is the largest number of versions that one request reads.
const maxScan = 100_000

// A versionView is one version of an object.
type versionView struct {
	Version  string    `json:"version"`
	Current  bool      `json:"current,omitempty"`
	Marker   bool      `json:"marker,omitempty"`
	Size     int64     `json:"size"`
	Modified time.Time `json:"modified,omitzero"`
	ETag     string    `json:"etag,omitempty"`
}

// A versionPage has the newest versions of an object.
type versionPage struct {
	Versions []versionView `json:"versions"`
	More     bool          `json:"more"` // true if there are older versions
}

// listVersions returns the versions of one object, the newest first.
func (h *Handler) listVersions(r *http.Request) (any, error) {
	b, key, _, err := h.requestedObject(r)
	if err != nil {
		return nil, err
	}

	page := versionPage{Versions: []versionView{}}
	for v, err := range storage.Versions(r.Context(), b, storage.WithPrefix(key)) {
		if err != nil {
			return nil, err
		}
		// The versions of the object come first, because all listed keys begin with its key.
		if v.Key != key {
			return page, nil
		}

		if len(page.Versions) == maxPage {
			page.More = true
			return page, nil
		}
		page.Versions = append(page.Versions, versionView{
			Version:  v.Version,
			Current:  v.Current,
			Marker:   v.IsDeleteMarker,
			Size:     v.Size,
			Modified: v.Modified,
			ETag:     v.ETag,
		})
	}
	return page, nil
}

// removedPage is a page of removed objects.
type removedPage struct {
	lastKey string      // last key of the previous page
	Entries []entryView `json:"entries"`
	Next    string      `json:"next"`    // key after which the next page begins
	Partial bool        `json:"partial"` // true if the search stopped after maxScan versions
}

// add appends a removed object, or returns false if the page is full.
func (p *removedPage) add(v entryView) bool {
	if len(p.Entries) == maxPage {
		p.Next = p.Entries[maxPage-1].Key
		return false
	}
	p.Entries = append(p.Entries, v)
	return true
}

// listRemoved returns a page of the objects below a prefix that were removed, but of which the store
// still has a version.
func (h *Handler) listRemoved(r *http.Request) (any, error) {
	q := r.URL.Query()
	b, _, err := h.source.Bucket(r.Context(), q.Get("bucket"))
	if err != nil {
		return nil, err
	}

	opts := []storage.ListOption{storage.WithPrefix(q.Get("prefix")), storage.WithLimit(maxScan)}
	page := &removedPage{lastKey: q.Get("after"), Entries: []entryView{}}
	if storage.Supports(b, storage.Versioning) {
		return page, page.addVersions(r, b, opts)
	}
	return page, page.addSoftDeleted(r, b, append(opts, storage.WithSoftDeleted()))
}

// addVersions adds the removed objects of a bucket with versioning. Each entry describes the newest
// version of its object that is not a delete marker.
func (p *removedPage) addVersions(r *http.Request, b storage.Lister, opts []storage.ListOption) error {
	count := 0
	// No key up to doneKey needs a further entry, because it was on an earlier page, is on this one, or
	// has a current version.
	doneKey := p.lastKey
	for v, err := range storage.Versions(r.Context(), b, opts...) {
		if err != nil {
			return err
		}
		count++
		if v.Key <= doneKey || v.IsDeleteMarker {
			continue
		}

		// This is the newest version of the key. A full page ends the loop.
		doneKey = v.Key
		if !v.Current && !p.add(removedView(v)) {
			return nil
		}
	}

	// The listing ended at its limit, so more removed objects may follow.
	p.Partial = count == maxScan
	return nil
}

// addSoftDeleted adds the removed objects that a store with soft delete still keeps, except for those that exist again.
func (p *removedPage) addSoftDeleted(r *http.Request, b storage.Bucket, opts []storage.ListOption) error {
	count := 0
	doneKey := p.lastKey // no key up to this one needs a further entry
	for v, err := range storage.Versions(r.Context(), b, opts...) {
		if err != nil {
			return err
		}
		count++
		if v.Key <= doneKey {
			// The version is an older one of the same key, or was on an earlier page.
			continue
		}

		doneKey = v.Key
		exists, err := b.Exists(r.Context(), v.Key)
		if err != nil {
			return err
		}

		// A full page ends the loop.
		if !exists && !p.add(removedView(v)) {
			return nil
		}
	}

	// The listing ended at its limit, so more removed objects may follow.
	p.Partial = count == maxScan
	return nil
}

// removedView returns the entry of a removed object, of which v is the newest version.
func removedView(v storage.VersionEntry) entryView {
	view := viewOf(v.ListEntry)
	view.Version = v.Version
	view.Until = v.SoftDeletedUntil
	return view
}
