package console

import (
	"net/http"

	"github.com/omnibucket/storage"
)

// copy copies an object or a folder, also to another bucket of the source, and never replaces another
// object.
func (h *Handler) copy(r *http.Request) (any, error) {
	var params struct {
		Bucket, From, ToBucket, To, Revision string
		Merge                                bool
	}
	if err := decodeBody(r, &params); err != nil {
		return nil, err
	}
	b, _, err := h.source.Bucket(r.Context(), params.Bucket)
	if err != nil {
		return nil, err
	}

	dst := b
	isSameBucket := params.ToBucket == "" || params.ToBucket == params.Bucket
	if !isSameBucket {
		dst, _, err = h.source.Bucket(r.Context(), params.ToBucket)
		if err != nil {
			return nil, err
		}
	}

	isFolder, err := areFolders(params.From, params.To)
	if err != nil {
		return nil, err
	}
	if isFolder {
		// Within one bucket, neither folder may contain the other.
		if isSameBucket && overlap(params.From, params.To) {
			return nil, invalidArgument("to", "must be neither in the folder nor around it")
		}
		return transferFolder(r.Context(), folder{b, params.From}, folder{dst, params.To}, params.Merge)
	}

	// The object may have changed since the page showed it.
	if err := requireUnchanged(r.Context(), b, params.From, params.Revision); err != nil {
		return nil, err
	}
	opts, err := copyCreateOptions(r.Context(), dst, params.To)
	if err != nil {
		return nil, err
	}
	_, err = storage.Copy(r.Context(), dst, params.To, b, params.From, opts...)
	if err != nil {
		return nil, err
	}
	return changes{Moved: 1, Failed: []failureView{}}, nil
}
