// Package tusd has the calls of docs/migrating/tusd.md, so that they compile.
package tusd

import (
	"crypto/rand"
	"net/http"

	"github.com/tus/tusd/v2/pkg/handler"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/adapters/tus"
	"github.com/omnibucket/storage/resumable"
)

var _ = []any{adapter, newHandler}

func adapter(bucket storage.Bucket) (http.Handler, error) {
	store, err := tus.New(storage.Prefixed(bucket, "uploads/"), tus.Config{})
	if err != nil {
		return nil, err
	}
	composer := handler.NewStoreComposer()
	store.UseIn(composer) // in place of s3store.New(…).UseIn, gcsstore, azurestore, filestore and their lockers
	return handler.NewHandler(handler.Config{StoreComposer: composer, BasePath: "/files/"})
}

func newHandler(bucket storage.Bucket, user func(*http.Request) (string, error)) (http.Handler, error) {
	uploads, err := resumable.NewHandler(bucket, resumable.Config{
		Authorize: user,
		Begin: func(_ *http.Request, user string, _ resumable.UploadRequest) (*resumable.Target, error) {
			return &resumable.Target{Key: "uploads/" + user + "/" + rand.Text()}, nil
		},
		MaxSize: 10 << 30,
	})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/uploads/", http.StripPrefix("/uploads", uploads)) // clients of tus: /uploads/tus/
	return mux, nil
}
