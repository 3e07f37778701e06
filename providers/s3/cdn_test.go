package s3

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// With cdn=true, PublicURL returns an address at the provider's CDN, unless the bucket has a domain of
// its own.
func TestPublicURLAtTheProvidersCDN(t *testing.T) {
	setEnv(t, nil)
	const space = "s3://photos?endpoint=https://nyc3.digitaloceanspaces.com&public=true"
	tests := []struct {
		name, address, want string
	}{
		{"a Space", space + "&cdn=true", "https://photos.nyc3.cdn.digitaloceanspaces.com/a%20b"},
		{
			"a Space by its profile", "s3://photos?profile=spaces&region=fra1&public=true&cdn=true",
			"https://photos.fra1.cdn.digitaloceanspaces.com/a%20b",
		},
		{
			"the region of the host, and not that of signatures", space + "&region=us-east-1&cdn=true",
			"https://photos.nyc3.cdn.digitaloceanspaces.com/a%20b",
		},
		{"not asked for", space + "&cdn=false", "https://photos.nyc3.digitaloceanspaces.com/a%20b"},
		{
			"a domain of its own", space + "&cdn=true&public_base_url=https://cdn.example.com",
			"https://cdn.example.com/a%20b",
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

// The parameter cdn makes no bucket public.
func TestPublicURLWithCDNNotPublic(t *testing.T) {
	setEnv(t, nil)
	b, err := storage.Open(t.Context(), "s3://photos?profile=spaces&region=fra1&cdn=true")
	require.NoError(t, err)
	_, err = b.PublicURL("a")
	require.ErrorIs(t, err, storage.NotPublic)
	require.NoError(t, storage.Close(b))
}

// If no CDN of the provider is known, Open refuses cdn=true with Unsupported. It refuses the value yes with
// InvalidArgument.
func TestOpenUnknownCDN(t *testing.T) {
	setEnv(t, nil)
	tests := []struct {
		name, address string
		want          storage.Code
	}{
		{"Amazon", "s3://photos?region=eu-west-1&cdn=true", storage.Unsupported},
		{"R2", "s3://photos?endpoint=https://id.r2.cloudflarestorage.com&cdn=true", storage.Unsupported},
		{"an unknown server", "s3://photos?endpoint=http://127.0.0.1:9&cdn=true", storage.Unsupported},
		{"a value that is none", "s3://photos?profile=spaces&region=fra1&cdn=yes", storage.InvalidArgument},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := storage.Open(t.Context(), tt.address)
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
		})
	}
}
