package s3server

import (
	"net/http"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
)

// viewPage is the number of entries in a page of the admin API.
const viewPage = 100

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
	for path, view := range map[string]func(*http.Request) (name string, entries any, next string, err error){
		"buckets":  func(r *http.Request) (string, any, string, error) { return viewBuckets(h, r) },
		"objects":  h.viewObjects,
		"versions": h.viewVersions,
		"uploads":  h.viewUploads,
	} {
		mux.HandleFunc("GET /_admin/"+path, func(w http.ResponseWriter, r *http.Request) {
			name, entries, next, err := view(r)
			if err != nil {
				adminError(w, http.StatusBadRequest, err.Error())
				return
			}
			adminResponse(w, http.StatusOK, map[string]any{name: entries, "next": next})
		})
	}
}

func viewBuckets(h *Handler, r *http.Request) (string, any, string, error) {
	page := []bucketView{}
	startAfter := r.URL.Query().Get("after")
	next := ""
	err := h.server.Store.ListBuckets(r.Context(), startAfter, func(b *state.Bucket) bool {
		if b.Name == startAfter {
			return true
		}
		if len(page) == viewPage {
			next = page[viewPage-1].Name
			return false
		}
		page = append(page, bucketView{b.Name, b.Created, b.Versioning, b.Policy != nil})
		return true
	})
	return "buckets", page, next, err
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

func (h *Handler) viewObjects(r *http.Request) (string, any, string, error) {
	req := viewRequest(r)
	page, err := (&bucketDriver{server: h.server, bucket: r.URL.Query().Get("bucket")}).List(r.Context(), req)
	if err != nil {
		return "", nil, "", err
	}
	views := []entryView{}
	for _, e := range page.Entries {
		views = append(views, viewOf(e))
	}
	return "entries", views, page.Token, nil
}

func (h *Handler) viewVersions(r *http.Request) (string, any, string, error) {
	page, err := (&bucketDriver{server: h.server, bucket: r.URL.Query().Get("bucket")}).ListVersions(r.Context(), viewRequest(r))
	if err != nil {
		return "", nil, "", err
	}
	views := []entryView{}
	for _, e := range page.Entries {
		view := viewOf(e.ListEntry)
		view.Version = e.Version
		view.Current = e.Current
		view.Marker = e.IsDeleteMarker
		views = append(views, view)
	}
	return "entries", views, page.Token, nil
}

func viewOf(e storage.ListEntry) entryView {
	return entryView{Key: e.Key, Folder: e.IsPrefix, Size: e.Size, ETag: e.ETag, Modified: e.Modified}
}

func (h *Handler) viewUploads(r *http.Request) (string, any, string, error) {
	bucket := r.URL.Query().Get("bucket")
	views := []uploadView{}
	next := ""
	var pos state.UploadPosition
	pos.ID, pos.Key, _ = strings.Cut(r.URL.Query().Get("after"), " ") // a version id has no space
	var found []*state.Upload
	hasMore, err := h.server.Store.ListUploads(
		r.Context(), bucket, state.Listing{Max: viewPage}, pos,
		func(u *state.Upload, _ string) {
			found = append(found, u)
		},
	)
	for _, u := range found {
		view := uploadView{Key: u.Key, ID: u.ID, Begun: u.Initiated}
		parts, _, err := h.server.Store.Parts(r.Context(), u, 0, 1000)
		if s3error.Is(err, "NoSuchUpload") { // the upload ended after it was listed
			continue
		} else if err != nil {
			return "", nil, "", err
		}
		for _, p := range parts {
			view.Parts++
			view.Size += p.Size
		}
		views = append(views, view)
	}
	if hasMore && len(found) > 0 {
		last := found[len(found)-1]
		next = last.ID + " " + last.Key
	}
	return "uploads", views, next, err
}
