package gcs

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"

	"github.com/omnibucket/storage/internal/escape"
)

// In a bucket with a hierarchical namespace, the first object in a folder creates the folder. The
// folder remains when its last object is removed.
// https://cloud.google.com/storage/docs/folders-overview

// removeFolder removes the folder of an upload, if the bucket has folders and this one is empty, and
// returns only errors of requests that may succeed later.
func (cs *composites) removeFolder(ctx context.Context, prefix string) error {
	isHierarchical, err := cs.isHierarchical(ctx)
	if err != nil {
		return err
	}
	if !isHierarchical {
		return nil
	}

	req, err := cs.bucket.account.request(ctx, http.MethodDelete, cs.bucket.jsonPath("folders", prefix), nil, 0)
	if err != nil {
		return err
	}
	resp, err := cs.bucket.account.send(req, http.StatusOK, http.StatusNoContent)
	if err != nil {
		return temporaryError(err)
	}
	_ = resp.Body.Close() // the status tells everything
	return nil
}

// isHierarchical reports whether the bucket has folders. It requests the layout of the bucket, which never
// changes, only once. It fails only with temporary errors. After any other error, the bucket counts as
// one without folders.
// https://cloud.google.com/storage/docs/json_api/v1/buckets/getStorageLayout
func (cs *composites) isHierarchical(ctx context.Context) (bool, error) {
	if known := cs.hierarchical.Load(); known != nil {
		return *known, nil
	}

	query := url.Values{"prefix": {componentsPrefix}}.Encode()
	path := "/storage/v1/b/" + escape.Path(cs.bucket.name) + "/storageLayout?" + query
	req, err := cs.bucket.account.request(ctx, http.MethodGet, path, nil, 0)
	if err != nil {
		return false, err
	}
	resp, err := cs.bucket.account.send(req, http.StatusOK)
	if err != nil {
		// The bucket has no layout, or the credentials may not read it. Do not request it again.
		storageErr := translate(err)
		isRefused := storageErr.Status >= http.StatusBadRequest && !storageErr.Retryable
		if isRefused {
			cs.hierarchical.Store(new(false))
		}
		return false, temporaryError(err)
	}
	defer resp.Body.Close()

	var layout struct {
		HierarchicalNamespace struct{ Enabled bool }
	}
	if json.NewDecoder(io.LimitReader(resp.Body, maxResourceBody)).Decode(&layout) != nil {
		// Another server has no layouts, and may respond with a page. Ask again the next time.
		return false, nil
	}
	cs.hierarchical.Store(&layout.HierarchicalNamespace.Enabled)
	return layout.HierarchicalNamespace.Enabled, nil
}
