package readme

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
)

// SaveAvatar needs one permission, and says so.
func SaveAvatar(ctx context.Context, b storage.Uploader, user string, image io.Reader) error {
	_, err := b.Upload(ctx, "avatars/"+user+".png", image)
	return err
}

func TestSaveAvatar(t *testing.T) {
	bucket := memstore.New() // empty, its own, nothing to clean up
	if err := SaveAvatar(t.Context(), bucket, "42", strings.NewReader("PNG")); err != nil {
		t.Fatal(err)
	}
	image, attrs, err := storage.ReadAll(t.Context(), bucket, "avatars/42.png")
	if err != nil || string(image) != "PNG" || attrs.ContentType != "image/png" {
		t.Fatalf("read %q, %+v, %v", image, attrs, err)
	}
}
