package console

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/omnibucket/storage"
)

// maxPage is the largest number of entries in one response.
const maxPage = 1000

func (h *Handler) info(*http.Request) (any, error) {
	title := h.config.Title
	if title == "" && h.onlyBucket != "" {
		title = h.onlyBucket
	} else if title == "" {
		title = "Buckets"
	}
	return struct {
		Title  string `json:"title"`
		Write  bool   `json:"write"`
		One    string `json:"one"`
		Pages  []Page `json:"pages"`
		Script bool   `json:"script"`
	}{title, h.config.Write, h.onlyBucket, append([]Page{}, h.config.Pages...), h.config.Script != nil}, nil
}

type bucketView struct {
	Name    string    `json:"name"`
	Created time.Time `json:"created,omitzero"`
	Labels  []string  `json:"labels"`
}

// buckets returns the buckets after the one that the query names, in the order of the source.
func (h *Handler) buckets(r *http.Request) (any, error) {
	page := struct {
		Buckets []bucketView `json:"buckets"`
		Next    string       `json:"next"`
	}{Buckets: []bucketView{}}
	startAfter := r.URL.Query().Get("after")
	skip := startAfter != ""
	for b, err := range h.source.Buckets(r.Context()) {
		if err != nil {
			return nil, err
		}
		if skip {
			skip = b.Name != startAfter
			continue
		}
		if len(page.Buckets) == maxPage {
			page.Next = page.Buckets[maxPage-1].Name
			break
		}
		page.Buckets = append(page.Buckets, bucketView{b.Name, b.Created, labelsOf(b)})
	}
	return page, nil
}

// labelsOf returns the settings of a bucket as short texts.
func labelsOf(b storage.BucketInfo) []string {
	labels := []string{}
	for _, l := range []struct {
		set  bool
		text string
	}{
		{b.Versioning, "versions"}, {b.Public, "public"}, {b.ObjectLock, "object lock"},
		{b.SoftDelete > 0, "soft delete"},
	} {
		if l.set {
			labels = append(labels, l.text)
		}
	}
	return labels
}

// requestedObject returns the bucket, the key and the version that a query names.
func (h *Handler) requestedObject(r *http.Request) (b storage.Bucket, key, version string, err error) {
	q := r.URL.Query()
	b, _, err = h.source.Bucket(r.Context(), q.Get("bucket"))
	return b, q.Get("key"), q.Get("version"), err
}

type features struct {
	Versions   bool `json:"versions"`
	Undelete   bool `json:"undelete"`
	Tags       bool `json:"tags"`
	Sign       bool `json:"sign"`
	Resume     bool `json:"resume"`
	Conditions bool `json:"conditions"`
}

func (h *Handler) bucket(r *http.Request) (any, error) {
	b, info, err := h.source.Bucket(r.Context(), r.URL.Query().Get("bucket"))
	if err != nil {
		return nil, err
	}
	versions := storage.Supports(b, storage.Versioning)
	return struct {
		Name     string   `json:"name"`
		Write    bool     `json:"write"`
		Features features `json:"features"`
	}{info.Name, h.config.Write, features{
		Versions:   versions,
		Undelete:   versions || info.SoftDelete > 0 && storage.Supports(b, storage.SoftDelete),
		Tags:       storage.Supports(b, storage.ObjectTags),
		Sign:       storage.Supports(b, storage.SignedURLs),
		Resume:     storage.Supports(b, storage.OpenUploads),
		Conditions: storage.Supports(b, storage.ConditionalCreate),
	}}, nil
}

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

// viewWithThumbnail returns the view of an entry. If the query q asks for thumbnails, a picture has
// an address. The extension of the key says what a picture is, because a listing has no media types.
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

// pageOptions returns the options for pages of a listing. They are in the order of the keys, unless
// the store has none.
func pageOptions(b storage.Bucket) []storage.ListOption {
	if storage.Supports(b, storage.OrderedListing) {
		return nil
	}
	return []storage.ListOption{storage.WithAnyOrder()}
}

// list returns a page of one folder.
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
	opts := append(pageOptions(b), storage.WithPrefix(q.Get("prefix")), storage.WithDelimiter("/"))

	answer := struct {
		Entries []entryView `json:"entries"`
		Next    string      `json:"next"`
	}{[]entryView{}, q.Get("after")}
	// A store may return fewer entries than requested.
	for hasMore := true; hasMore; hasMore = answer.Next != "" && len(answer.Entries) < limit {
		size := storage.WithPageSize(limit - len(answer.Entries))
		page, err := storage.ListPage(r.Context(), b, answer.Next, append(slices.Clip(opts), size)...)
		if err != nil {
			return nil, err
		}
		for _, e := range page.Entries {
			answer.Entries = append(answer.Entries, h.viewWithThumbnail(r, q, e))
		}
		answer.Next = page.Token
	}
	return answer, nil
}
