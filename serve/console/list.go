package console

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/omnibucket/storage"
)

// maxPage is the largest number of entries in one response.
const maxPage = 1000

// infoView says what the page offers.
type infoView struct {
	Title  string `json:"title"`
	Write  bool   `json:"write"`
	One    string `json:"one"` // name of the only bucket, or ""
	Pages  []Page `json:"pages"`
	Script bool   `json:"script"` // true if the program has a script of its own
}

// info returns the title and the features of the page.
func (h *Handler) info(*http.Request) (any, error) {
	return infoView{
		Title: cmp.Or(h.config.Title, h.onlyBucket, "Buckets"),
		Write: h.config.Write,
		One:   h.onlyBucket,
		// Without pages, the JSON must have an empty array instead of null.
		Pages:  append([]Page{}, h.config.Pages...),
		Script: h.config.Script != nil,
	}, nil
}

// A bucketView is one bucket in the list of buckets.
type bucketView struct {
	Name    string    `json:"name"`
	Created time.Time `json:"created,omitzero"`
	Labels  []string  `json:"labels"`
}

// A bucketPage is a page of the list of buckets.
type bucketPage struct {
	Buckets []bucketView `json:"buckets"`
	Next    string       `json:"next"` // last bucket of the page; "" if there are no more buckets
}

// buckets returns a page of buckets in the order of the source. The page begins after the bucket that
// the query names as "after", or else with the first bucket.
func (h *Handler) buckets(r *http.Request) (any, error) {
	page := bucketPage{Buckets: []bucketView{}}
	startAfter := r.URL.Query().Get("after")
	isSkipping := startAfter != ""
	for info, err := range h.source.Buckets(r.Context()) {
		if err != nil {
			return nil, err
		}

		// Skip the buckets up to the one after which the page begins.
		if isSkipping {
			isSkipping = info.Name != startAfter
			continue
		}

		if len(page.Buckets) == maxPage {
			page.Next = page.Buckets[maxPage-1].Name
			break
		}
		page.Buckets = append(page.Buckets, bucketView{
			Name:    info.Name,
			Created: info.Created,
			Labels:  labelsOf(info),
		})
	}
	return page, nil
}

// labelsOf returns the settings of a bucket as short labels.
func labelsOf(info storage.BucketInfo) []string {
	labels := []string{}
	if info.Versioning {
		labels = append(labels, "versions")
	}
	if info.Public {
		labels = append(labels, "public")
	}
	if info.ObjectLock {
		labels = append(labels, "object lock")
	}
	if info.SoftDelete > 0 {
		labels = append(labels, "soft delete")
	}
	return labels
}

// requestedObject returns the bucket, the key and the version that a query names.
func (h *Handler) requestedObject(r *http.Request) (b storage.Bucket, key, version string, err error) {
	q := r.URL.Query()
	b, _, err = h.source.Bucket(r.Context(), q.Get("bucket"))
	return b, q.Get("key"), q.Get("version"), err
}

// features says what the store of a bucket supports.
type features struct {
	Versions   bool `json:"versions"`
	Undelete   bool `json:"undelete"`
	Tags       bool `json:"tags"`
	Sign       bool `json:"sign"`
	Resume     bool `json:"resume"`
	Conditions bool `json:"conditions"`
}

// bucketDetails says what the page offers for one bucket.
type bucketDetails struct {
	Name     string   `json:"name"`
	Write    bool     `json:"write"`
	Features features `json:"features"`
}

// bucket returns the name of a bucket and the features that the page offers for it.
func (h *Handler) bucket(r *http.Request) (any, error) {
	b, info, err := h.source.Bucket(r.Context(), r.URL.Query().Get("bucket"))
	if err != nil {
		return nil, err
	}

	hasVersions := storage.Supports(b, storage.Versioning)
	hasSoftDelete := info.SoftDelete > 0 && storage.Supports(b, storage.SoftDelete)
	return bucketDetails{
		Name:  info.Name,
		Write: h.config.Write,
		Features: features{
			Versions:   hasVersions,
			Undelete:   hasVersions || hasSoftDelete,
			Tags:       storage.Supports(b, storage.ObjectTags),
			Sign:       storage.Supports(b, storage.SignedURLs),
			Resume:     storage.Supports(b, storage.OpenUploads),
			Conditions: storage.Supports(b, storage.ConditionalCreate),
		},
	}, nil
}

// An entryView is an object or a folder in a list.
type entryView struct {
	Key      string    `json:"key"`
	Folder   bool      `json:"folder,omitempty"`
	Size     int64     `json:"size"`
	Modified time.Time `json:"modified,omitzero"`
	ETag     string    `json:"etag,omitempty"`
	Class    string    `json:"class,omitempty"`
	Revision string    `json:"revision,omitempty"`
	Version  string    `json:"version,omitempty"`
	Until    time.Time `json:"until,omitzero"` // when the store deletes a removed object for good
	View     string    `json:"view,omitempty"` // address of a picture for the list
}

// maxThumbnail is the largest picture that the list shows, in bytes. The browser loads the whole
// object.
const maxThumbnail = 8 << 20

// viewWithThumbnail returns the view of an entry, with the address of a picture if the query asks for
// thumbnails. A listing has no media types, so the extension of the key decides what a picture is.
func (h *Handler) viewWithThumbnail(r *http.Request, q url.Values, e storage.ListEntry) entryView {
	view := viewOf(e)
	if q.Get("thumbnails") == "" || e.IsPrefix || e.Size > maxThumbnail {
		return view
	}

	mediaType := mediaTypeOf("", e.Key)
	if kindOf(mediaType) == "image" {
		view.View = h.contentURL(r, content{bucket: q.Get("bucket"), key: e.Key, mediaType: mediaType})
	}
	return view
}

// viewOf returns what the page shows of an entry of a listing.
func viewOf(e storage.ListEntry) entryView {
	return entryView{
		Key:      e.Key,
		Folder:   e.IsPrefix,
		Size:     e.Size,
		Modified: e.Modified,
		ETag:     e.ETag,
		Class:    e.StorageClass,
		Revision: e.Revision,
	}
}

// pageOptions returns the options for pages of a listing: in the order of the keys, or in any order if
// the store has none.
func pageOptions(b storage.Bucket) []storage.ListOption {
	if storage.Supports(b, storage.OrderedListing) {
		return nil
	}
	return []storage.ListOption{storage.WithAnyOrder()}
}

// An entryPage is a page of a listing or of a search.
type entryPage struct {
	Entries []entryView `json:"entries"`
	Next    string      `json:"next"` // where the next page begins; "" if there is none
}

// list returns a page with the objects and folders in one folder.
func (h *Handler) list(r *http.Request) (any, error) {
	q := r.URL.Query()
	b, _, err := h.source.Bucket(r.Context(), q.Get("bucket"))
	if err != nil {
		return nil, err
	}

	limit, err := strconv.Atoi(q.Get("limit"))
	if err != nil || limit < 1 || limit > maxPage {
		limit = maxPage
	}

	// With the delimiter, an inner folder is one entry.
	opts := append(pageOptions(b), storage.WithPrefix(q.Get("prefix")), storage.WithDelimiter("/"))
	listed := entryPage{Entries: []entryView{}}
	token := q.Get("after")
	for {
		size := storage.WithPageSize(limit - len(listed.Entries))
		page, err := storage.ListPage(r.Context(), b, token, append(slices.Clip(opts), size)...)
		if err != nil {
			return nil, err
		}
		for _, entry := range page.Entries {
			listed.Entries = append(listed.Entries, h.viewWithThumbnail(r, q, entry))
		}

		// A store may return fewer entries than requested, so add its next page until there are enough.
		token = page.Token
		if token == "" || len(listed.Entries) >= limit {
			listed.Next = token
			return listed, nil
		}
	}
}
