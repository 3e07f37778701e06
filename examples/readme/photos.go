package readme

import (
	"context"

	"github.com/omnibucket/storage"
	_ "github.com/omnibucket/storage/providers/s3" // s3://
)

var photos = map[string]string{
	"Amazon S3":           "s3://photos?region=eu-west-1",
	"DigitalOcean Spaces": "s3://photos?endpoint=https://nyc3.digitaloceanspaces.com&public=true", // for PublicURL
	"Cloudflare R2":       "s3://photos?endpoint=https://0123abcd.r2.cloudflarestorage.com",
}

func openPhotos(ctx context.Context, store string) (storage.Bucket, error) {
	return storage.Open(ctx, photos[store]) // makes no request
}
