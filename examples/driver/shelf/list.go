package shelf

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// A page is the store's response to a listing.
type page struct {
	Entries []struct {
		Key      string
		IsPrefix bool
		Size     int64
		ETag     string
		Modified time.Time
	}
	Next string
}

// List returns one page as the store sends it. The token is the last key of the page before.
func (d *objectDriver) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	startAfter := r.StartAfter
	if r.Token != "" {
		startAfter = r.Token
	}

	p, err := d.page(ctx, url.Values{
		"prefix":    {r.Prefix},
		"delimiter": {r.Delimiter},
		"after":     {startAfter},
		"limit":     {strconv.Itoa(r.Limit)},
	})
	if err != nil {
		return nil, err
	}

	result := &storage.Page{Entries: r.Entries[:0], Token: p.Next}
	for _, e := range p.Entries {
		entry := storage.ListEntry{Key: e.Key, IsPrefix: e.IsPrefix}
		if !e.IsPrefix {
			entry.Size = e.Size
			entry.Modified = e.Modified
			entry.ETag = e.ETag
			entry.Revision = strings.Trim(e.ETag, `"`)
		}
		result.Entries = append(result.Entries, entry)
	}
	return result, nil
}

// page requests one page of a listing.
func (d *objectDriver) page(ctx context.Context, query url.Values) (*page, error) {
	response, err := d.send(ctx, request{method: http.MethodGet, query: query})
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	// The transport limits its length.
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, driver.NetworkError(err)
	}
	p := &page{}
	if err := json.Unmarshal(text, p); err != nil {
		return nil, &storage.Error{Code: storage.Internal, Err: err}
	}
	return p, nil
}
