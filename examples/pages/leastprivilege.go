package pages

import (
	"github.com/omnibucket/storage"
)

// A photoStore uploads photos, and makes links to them.
type photoStore interface {
	storage.Uploader
	storage.SignedDownloader
}

// narrow returns a photoStore that reaches only the photos of users.
func narrow(bucket storage.Bucket) photoStore {
	return storage.Ref[photoStore](storage.Prefixed(bucket, "users/"))
}
