package filesapi_test

import (
	"bytes"
	"image"
	"image/png"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
	filesclient "github.com/omnibucket/storage/uploads/client"
	"github.com/omnibucket/storage/uploads/filesapi"
	"github.com/omnibucket/storage/uploads/rules"
)

// With Rules, the type of a file follows from its content, and not from what the sender says.
func TestRulesDecideType(t *testing.T) {
	// If the type followed from this name, a browser would run the file.
	const name = "picture.html"
	var picture bytes.Buffer
	require.NoError(t, png.Encode(&picture, image.NewGray(image.Rect(0, 0, 4, 4))))

	tests := []struct {
		name string
		send func(*filesclient.Client) (*filesapi.Record, error)
	}{
		{
			name: "a whole file",
			send: func(c *filesclient.Client) (*filesapi.Record, error) {
				return c.Upload(t.Context(), name, bytes.NewReader(picture.Bytes()), "")
			},
		},
		{
			name: "a temp file",
			send: func(c *filesclient.Client) (*filesapi.Record, error) {
				return c.UploadTemp(t.Context(), name, bytes.NewReader(picture.Bytes()))
			},
		},
		{
			name: "parts",
			send: func(c *filesclient.Client) (*filesapi.Record, error) {
				part := filesclient.Part{Token: token, Count: 1, Part: 1, OriginalFileName: name}
				return c.UploadPart(t.Context(), part, bytes.NewReader(picture.Bytes()))
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bucket := memstore.New()

			// Serve the file API over a bucket whose rules look at the content.
			s, err := uploads.New(bucket, uploads.Config{Rules: rules.Images(1 << 20), Records: uploads.BucketRecords(bucket)})
			require.NoError(t, err)
			h, err := filesapi.New(s, filesapi.Config{
				Authorize: func(*http.Request) (uploads.User, error) { return uploads.User{ID: "eva"}, nil },
			})
			require.NoError(t, err)
			server := httptest.NewServer(h)
			defer server.Close()
			client, err := filesclient.New(server.URL, server.Client())
			require.NoError(t, err)

			// The record has the type of the content.
			record, err := tt.send(client)
			require.NoError(t, err)
			require.Equal(t, "image/png", record.MIMEType)
			require.Equal(t, ".png", record.FileExt)

			// The object has the same type.
			for entry, err := range bucket.List(t.Context(), storage.WithPrefix("files/content/")) {
				require.NoError(t, err)
				attrs, err := bucket.Attrs(t.Context(), entry.Key)
				require.NoError(t, err)
				require.Equal(t, "image/png", attrs.ContentType)
			}
		})
	}
}
