package agents

import (
	"context"
	"encoding/json"
	"io"

	"github.com/omnibucket/storage"
)

// upload stores a body of any length, also an unknown one.
func upload(ctx context.Context, bucket storage.Uploader, key string, body io.Reader) (*storage.Attrs, error) {
	return bucket.Upload(ctx, key, body,
		storage.WithContentType("text/csv"),
		storage.WithMetadata(map[string]string{"source": storage.EncodeMetadataValue("Zoë's list")}))
}

// uploadJSON stores the output of an encoder while it is being written. The object appears only
// after Commit.
func uploadJSON(ctx context.Context, bucket storage.Uploader, key string, value any) error {
	object := storage.NewWriter(ctx, bucket, key)
	defer func() { _ = object.Close() }()
	if err := json.NewEncoder(object).Encode(value); err != nil {
		return err
	}
	_, err := object.Commit()
	return err
}
