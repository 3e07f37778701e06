package s3

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// With cdn=true, PublicURL returns an address at the provider's CDN, unless the bucket has a domain
// of its own.
func TestPublicURLAtTheProvidersCDN(t *testing.T) {
	setEnv(t, nil)
	const space = "s3://photos?endpoint=https://nyc3.digitaloceanspaces.com&public=true"
	tests := []struct {
		name    string
		address string
		want    string
	}{
		{
			name:    "a Space by its endpoint",
			address: space + "&cdn=true",
			want:    "https://photos.nyc3.cdn.digitaloceanspaces.com/a%20b",
		},
		{
			name:    "a Space by its profile",
			address: "s3://photos?profile=spaces&region=fra1&public=true&cdn=true",
			want:    "https://photos.fra1.cdn.digitaloceanspaces.com/a%20b",
		},
		{
			name:    "another region for signatures than in the host",
			address: space + "&region=us-east-1&cdn=true",
			want:    "https://photos.nyc3.cdn.digitaloceanspaces.com/a%20b",
		},
		{
			name:    "a Space without its CDN",
			address: space + "&cdn=false",
			want:    "https://photos.nyc3.digitaloceanspaces.com/a%20b",
		},
		{
			name:    "a domain of its own",
			address: space + "&cdn=true&public_base_url=https://cdn.example.com",
			want:    "https://cdn.example.com/a%20b",
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, err := storage.Open(t.Context(), tt.address)
			require.NoError(t, err)
			defer func() {
				require.NoError(t, storage.Close(b))
			}()

			got, err := b.PublicURL("a b")
			require.NoError(t, err)
			require.Equal(t, tt.want, got)
		})
	}
}

// The parameter cdn does not make a bucket public.
func TestPublicURLWithCDNNotPublic(t *testing.T) {
	setEnv(t, nil)
	b, err := storage.Open(t.Context(), "s3://photos?profile=spaces&region=fra1&cdn=true")
	require.NoError(t, err)
	_, err = b.PublicURL("a")
	require.ErrorIs(t, err, storage.NotPublic)
	require.NoError(t, storage.Close(b))
}

// Open fails with Unsupported if an address has cdn=true and no CDN of the provider is known. It fails with
// InvalidArgument if the value is neither true nor false.
func TestOpenUnknownCDN(t *testing.T) {
	setEnv(t, nil)
	tests := []struct {
		name    string
		address string
		want    storage.Code
	}{
		{name: "Amazon", address: "s3://photos?region=eu-west-1&cdn=true", want: storage.Unsupported},
		{
			name:    "R2",
			address: "s3://photos?endpoint=https://id.r2.cloudflarestorage.com&cdn=true",
			want:    storage.Unsupported,
		},
		{
			name:    "an unknown server",
			address: "s3://photos?endpoint=http://127.0.0.1:9&cdn=true",
			want:    storage.Unsupported,
		},
		{
			name:    "a value that is neither true nor false",
			address: "s3://photos?profile=spaces&region=fra1&cdn=yes",
			want:    storage.InvalidArgument,
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := storage.Open(t.Context(), tt.address)
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
		})
	}
}
