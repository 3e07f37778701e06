package pages

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

// documents returns a service for files of any type, with at most 100 MiB each. A user may have 1
// GiB in total, in at most 10,000 files.
func documents(bucket storage.Bucket) (*uploads.Service, error) {
	return uploads.New(bucket, uploads.Config{
		Rules: rules.Any(100 << 20),
		Key:   "users/{user}/documents/{random}{ext}",
		Allowance: func(ctx context.Context, user uploads.User) (uploads.Allowance, error) {
			return uploads.Allowance{Bytes: 1 << 30, Files: 10_000}, nil // or by user
		},
	})
}
