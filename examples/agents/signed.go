package agents

import (
	"context"
	"time"

	"github.com/omnibucket/storage"
)

// sign lets a client make one upload and, later, downloads. Send both values to it as JSON.
func sign(ctx context.Context, bucket storage.Bucket, key string) (up, down *storage.SignedURL, err error) {
	up, err = bucket.SignedUploadURL(ctx, key, storage.WithContentType("image/png"), storage.WithTTL(time.Minute))
	if err != nil {
		return nil, nil, err
	}
	down, err = bucket.SignedDownloadURL(ctx, key, storage.WithDownloadName("Photo.png"))
	return up, down, err
}
