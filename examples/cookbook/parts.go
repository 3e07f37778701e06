package cookbook

import (
	"context"
	"io"
	"time"

	"github.com/omnibucket/storage"
)

// beginVideo begins an upload whose parts are sent later. Keep the token on the server.
func beginVideo(ctx context.Context, bucket storage.Uploader) (token string, err error) {
	upload, err := storage.BeginUpload(ctx, bucket, "video.mp4", storage.WithContentType("video/mp4"), storage.IfAbsent())
	if err != nil {
		return "", err
	}
	return upload.Token(), nil
}

// putPart stores a part. Parts may be stored by any process and in any order, and a part may be
// stored again.
func putPart(ctx context.Context, bucket storage.Uploader, token string, number int, body io.Reader) error {
	upload, err := storage.ContinueUpload(ctx, bucket, token)
	if err != nil {
		return err
	}
	_, err = upload.PutPart(ctx, number, body)
	return err
}

// completeVideo makes the object by joining its parts.
func completeVideo(ctx context.Context, bucket storage.Uploader, token string) (*storage.Attrs, error) {
	upload, err := storage.ContinueUpload(ctx, bucket, token)
	if err != nil {
		return nil, err
	}
	return upload.Complete(ctx)
}

// signPart returns a signed request with which a client without credentials can store one part.
func signPart(
	ctx context.Context, bucket storage.Uploader, key string,
) (token string, signed *storage.SignedURL, err error) {
	upload, err := storage.BeginUpload(ctx, bucket, key, storage.WithMaxSize(10<<30), storage.WithUncheckedParts())
	if err != nil {
		return "", nil, err
	}
	signed, err = upload.SignPart(ctx, 1, storage.WithTTL(time.Hour))
	return upload.Token(), signed, err
}
