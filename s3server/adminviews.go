package s3server

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
)

const (
	// viewPage is the number of entries in a page of the admin API.
	viewPage = 100
	// viewParts is the maximum number of parts that the view of an upload counts.
	viewParts = 1000
)

type bucketView struct {
	Name       string    `json:"name"`
	Created    time.Time `json:"created"`
	Versioning string    `json:"versioning,omitempty"`
	Policy     bool      `json:"policy,omitempty"`
}

type entryView struct {
	Key      string    `json:"key"`
	Folder   bool      `json:"folder,omitempty"`
	Size     int64     `json:"size"`
	ETag     string    `json:"etag,omitempty"`
	Modified time.Time `json:"modified,omitzero"`
	Version  string    `json:"version,omitempty"`
	Current  bool      `json:"current,omitempty"`
	Marker   bool      `json:"marker,omitempty"`
}

type uploadView struct {
	Key   string    `json:"key"`
	ID    string    `json:"id"`
	Begun time.Time `json:"begun"`
	Parts int       `json:"parts"`
	Size  int64     `json:"size"`
}

// handleViews adds the routes of the admin API that list buckets, objects, versions and uploads.
func (h *Handler) handleViews(mux *http.ServeMux) {
	handleView(mux, "buckets", "buckets", h.viewBuckets)
	handleView(mux, "objects", "entries", h.viewObjects)
	handleView(mux, "versions", "entries", h.viewVersions)
	handleView(mux, "uploads", "uploads", h.viewUploads)
}

// handleView adds a route for a listing, of which each response is one page. Its JSON has the views under name, and the
// start of the next page under "next".
func handleView[V any](
	mux *http.ServeMux, path, name string, list func(*http.Request) (views []V, next string, err error),
) {
	mux.HandleFunc("GET /_admin/"+path, func(w http.ResponseWriter, r *http.Request) {
		views, next, err := list(r)
		if err != nil {
			adminError(w, http.StatusBadRequest, err.Error())
			return
		}
		adminResponse(w, http.StatusOK, map[string]any{name: views, "next": next})
	})
}

// viewBuckets lists the buckets whose names follow the query parameter "after".
func (h *Handler) viewBuckets(r *http.Request) (views []bucketView, next string, err error) {
	// In JSON, an empty list must not be null.
	views = []bucketView{}
	startAfter := r.URL.Query().Get("after")
	for b, err := range h.server.Store.ListBuckets(r.Context(), startAfter) {
		if err != nil {
			return nil, "", err
		}
		if b.Name == startAfter {
			// The page before ends with this bucket.
			continue
		}
		if len(views) == viewPage {
			return views, views[viewPage-1].Name, nil
		}
		views = append(views, bucketView{
			Name:       b.Name,
			Created:    b.Created,
			Versioning: b.Versioning,
			Policy:     b.Policy != nil,
		})
	}
	return views, "", nil
}

// viewDriver returns the driver of the bucket in the query parameter "bucket".
func (h *Handler) viewDriver(r *http.Request) *bucketDriver {
	return &bucketDriver{server: h.server, bucket: r.URL.Query().Get("bucket")}
}

// viewRequest returns the listing that the query parameters "prefix" and "after" describe.
func viewRequest(r *http.Request) *driver.ListRequest {
	return &driver.ListRequest{
		Prefix:    r.URL.Query().Get("prefix"),
		Delimiter: "/",
		Token:     r.URL.Query().Get("after"),
		Limit:     viewPage,
	}
}

// viewObjects lists the objects of a bucket, and the folders below the prefix. next is the start of the next page, or
// "" after the last page.
func (h *Handler) viewObjects(r *http.Request) (views []entryView, next string, err error) {
	page, err := h.viewDriver(r).List(r.Context(), viewRequest(r))
	if err != nil {
		return nil, "", err
	}
	views = []entryView{}
	for _, entry := range page.Entries {
		views = append(views, newEntryView(entry))
	}
	return views, page.Token, nil
}

// viewVersions lists the versions of a bucket, and the folders below the prefix. next is the start of the next page, or
// "" after the last page.
func (h *Handler) viewVersions(r *http.Request) (views []entryView, next string, err error) {
	page, err := h.viewDriver(r).ListVersions(r.Context(), viewRequest(r))
	if err != nil {
		return nil, "", err
	}
	views = []entryView{}
	for _, entry := range page.Entries {
		view := newEntryView(entry.ListEntry)
		view.Version = entry.Version
		view.Current = entry.Current
		view.Marker = entry.IsDeleteMarker
		views = append(views, view)
	}
	return views, page.Token, nil
}

func newEntryView(e storage.ListEntry) entryView {
	return entryView{Key: e.Key, Folder: e.IsPrefix, Size: e.Size, ETag: e.ETag, Modified: e.Modified}
}

// viewUpload returns the view of an upload, with the number and the total size of its parts so far.
func (h *Handler) viewUpload(ctx context.Context, u *state.Upload) (uploadView, error) {
	const marker = 0 // number after which the list of parts begins
	parts, _, err := h.server.Store.Parts(ctx, u, marker, viewParts)
	if err != nil {
		return uploadView{}, err
	}
	view := uploadView{Key: u.Key, ID: u.ID, Begun: u.Initiated, Parts: len(parts)}
	for _, p := range parts {
		view.Size += p.Size
	}
	return view, nil
}

// viewUploads lists one page of a bucket's multipart uploads for the admin API, those after the one in the query
// parameter "after". The parameter has the upload's id, which has no space, a space and its key.
func (h *Handler) viewUploads(r *http.Request) (views []uploadView, next string, err error) {
	var pos state.UploadPosition
	pos.ID, pos.Key, _ = strings.Cut(r.URL.Query().Get("after"), " ")

	var uploads []*state.Upload
	hasMore, err := h.server.Store.ListUploads(
		r.Context(), r.URL.Query().Get("bucket"), state.Listing{Max: viewPage}, pos,
		func(u *state.Upload, _ string) {
			uploads = append(uploads, u)
		},
	)
	if err != nil {
		return nil, "", err
	}

	views = []uploadView{}
	for _, u := range uploads {
		view, err := h.viewUpload(r.Context(), u)
		if s3error.Is(err, "NoSuchUpload") {
			// The upload ended after it was listed.
			continue
		}
		if err != nil {
			return nil, "", err
		}
		views = append(views, view)
	}

	// The next page begins after the last upload of this one.
	if hasMore && len(uploads) > 0 {
		last := uploads[len(uploads)-1]
		next = last.ID + " " + last.Key
	}
	return views, next, nil
}
