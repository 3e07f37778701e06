// Package tusd contains the calls that docs/migrating/tusd.md shows, so that the compiler checks
// them.
package tusd

import (
	"net/http"

	"github.com/tus/tusd/v2/pkg/handler"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/adapters/tus"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
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

func newHandler(bucket storage.Bucket, user func(*http.Request) (uploads.User, error)) (http.Handler, error) {
	service, err := uploads.New(bucket, uploads.Config{
		Rules:     rules.Rules{Types: []string{"video/mp4"}, MaxSize: 10 << 30}, // or rules.Any
		Key:       "uploads/{user}/{random}{ext}",
		Authorize: user,
	})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/uploads/", http.StripPrefix("/uploads", service)) // tus clients then use the path /uploads/tus/
	return mux, nil
}
