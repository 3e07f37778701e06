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

// removeFolder removes the folder of an upload, if the bucket has folders. A folder that still has
// objects remains. removeFolder returns only errors of requests that may succeed later.
func (cs *composites) removeFolder(ctx context.Context, prefix string) error {
	if hierarchical, err := cs.isHierarchical(ctx); !hierarchical {
		return err
	}
	request, err := cs.bucket.account.request(ctx, http.MethodDelete, cs.bucket.jsonPath("folders", prefix), nil, 0)
	if err != nil {
		return err
	}
	response, err := cs.bucket.account.send(request, http.StatusOK, http.StatusNoContent)
	if err == nil {
		_ = response.Body.Close()
		return nil
	}
	return temporaryError(err)
}

// isHierarchical reports whether the bucket has folders. It requests the layout of the bucket once,
// because the layout never changes.
// https://cloud.google.com/storage/docs/json_api/v1/buckets/getStorageLayout
func (cs *composites) isHierarchical(ctx context.Context) (bool, error) {
	if known := cs.hierarchical.Load(); known != nil {
		return *known, nil
	}

	query := url.Values{"prefix": {componentsPrefix}}.Encode()
	request, err := cs.bucket.account.request(ctx, http.MethodGet,
		"/storage/v1/b/"+escape.Path(cs.bucket.name)+"/storageLayout?"+query, nil, 0)
	if err != nil {
		return false, err
	}
	response, err := cs.bucket.account.send(request, http.StatusOK)
	if err != nil {
		if e := translate(err); e.Status >= http.StatusBadRequest && !e.Retryable {
			// The bucket counts as not hierarchical if it has no layout, or if the credentials may
			// not read the layout.
			cs.hierarchical.Store(new(bool))
		}
		return false, temporaryError(err)
	}

	defer response.Body.Close()
	var layout struct {
		HierarchicalNamespace struct{ Enabled bool }
	}
	if json.NewDecoder(io.LimitReader(response.Body, maxResourceBody)).Decode(&layout) != nil {
		return false, nil
	}
	cs.hierarchical.Store(&layout.HierarchicalNamespace.Enabled)
	return layout.HierarchicalNamespace.Enabled, nil
}
