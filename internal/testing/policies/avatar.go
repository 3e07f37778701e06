package policies

import (
	"bytes"
	"context"
	"errors"
	"strings"

	"github.com/omnibucket/storage"
)

// Avatar stores the picture of a user who has none, reads it, and removes it.
func Avatar(ctx context.Context, address string) error {
	bucket, err := storage.Open(ctx, address)
	if err != nil {
		return err
	}
	defer storage.Close(bucket)
	pictures := storage.Prefixed(bucket, "users/")

	exists, err := pictures.Exists(ctx, "eva.png")
	if err != nil {
		return err
	}
	if exists {
		return errors.New("the user has a picture")
	}

	const picture = "a picture"
	contentType := storage.WithContentType("image/png")
	if _, err := pictures.Upload(ctx, "eva.png", strings.NewReader(picture), contentType); err != nil {
		return err
	}

	content, _, err := storage.ReadAll(ctx, pictures, "eva.png")
	if err != nil {
		return err
	}
	if !bytes.Equal(content, []byte(picture)) {
		return errors.New("the picture is another one")
	}
	return pictures.Remove(ctx, "eva.png")
}
