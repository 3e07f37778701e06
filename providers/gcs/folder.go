package gcs

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"

	"github.com/omnibucket/storage/internal/urlpath"
)

// A bucket with a hierarchical namespace makes a folder with the first object in it, and keeps the
// folder when the last one is removed. https://cloud.google.com/storage/docs/folders-overview

// The layouts of a bucket, which never changes its own.
const (
	unknownLayout = iota
	flatLayout
	hierarchicalLayout
)

// removeFolder removes the folder of an upload, if the bucket has folders. One that has objects
// stays.
func (d *driver) removeFolder(ctx context.Context, prefix string) {
	if d.http == nil || !d.isHierarchical(ctx) {
		return
	}
	request, err := d.request(ctx, http.MethodDelete, d.jsonPath("folders", prefix), nil, 0)
	if err != nil {
		return
	}
	if response, err := d.send(request, http.StatusOK, http.StatusNoContent); err == nil {
		_ = response.Body.Close()
	}
}

// isHierarchical asks for the layout, once for each bucket that was opened.
// https://cloud.google.com/storage/docs/json_api/v1/buckets/getStorageLayout
func (d *driver) isHierarchical(ctx context.Context) bool {
	if known := d.layout.Load(); known != unknownLayout {
		return known == hierarchicalLayout
	}
	query := url.Values{"prefix": {componentsPrefix}}.Encode()
	request, err := d.request(ctx, http.MethodGet, "/storage/v1/b/"+urlpath.Escape(d.bucket)+"/storageLayout?"+query, nil, 0)
	if err != nil {
		return false
	}
	response, err := d.send(request, http.StatusOK)
	if err != nil {
		if e := translate(err); e.Status >= http.StatusBadRequest && !e.Retryable {
			d.layout.Store(flatLayout) // a server without layouts, or credentials that may not ask
		}
		return false
	}
	defer func() { _ = response.Body.Close() }()
	var layout struct {
		HierarchicalNamespace struct{ Enabled bool }
	}
	if json.NewDecoder(io.LimitReader(response.Body, maxResourceBody)).Decode(&layout) != nil {
		return false
	}
	if layout.HierarchicalNamespace.Enabled {
		d.layout.Store(hierarchicalLayout)
		return true
	}
	d.layout.Store(flatLayout)
	return false
}
