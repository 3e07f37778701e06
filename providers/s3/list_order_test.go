package s3

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/engine"
)

// List sends start-after only if a response has shown that the server matches its profile, and the
// profile lists in byte order. So the first listing never sends start-after, and the second one
// may.
func TestListStartAfterKnownServer(t *testing.T) {
	const (
		inByteOrder = `<ListBucketResult><Contents><Key>a-b</Key></Contents>` +
			`<Contents><Key>a/1</Key></Contents><Contents><Key>b</Key></Contents></ListBucketResult>`
		byFolders = `<ListBucketResult><Contents><Key>a/1</Key></Contents>` +
			`<Contents><Key>a-b</Key></Contents><Contents><Key>b</Key></Contents></ListBucketResult>`

		requestAll  = "GET /photos?encoding-type=url&list-type=2&max-keys=1000"
		requestRest = requestAll + "&start-after=a-b"
	)
	tests := []struct {
		name              string
		profile           string
		server            string // the header Server
		body              string
		wantSecondRequest string
		wantCode          storage.Code // of both listings; "": no error
	}{
		{name: "an unknown server", profile: "unknown", body: inByteOrder, wantSecondRequest: requestAll},
		{
			name:              "an unknown server that lists like a tree",
			profile:           "unknown",
			body:              byFolders,
			wantSecondRequest: requestAll,
			wantCode:          storage.Unsupported,
		},
		{
			name:              "no Server header to confirm the profile",
			profile:           "aws",
			body:              inByteOrder,
			wantSecondRequest: requestAll,
		},
		{
			name:              "another server than that of the profile",
			profile:           "minio",
			server:            "SeaweedFS S3",
			body:              byFolders,
			wantSecondRequest: requestAll,
			wantCode:          storage.Unsupported,
		},
		{
			name:              "the server of the profile",
			profile:           "minio",
			server:            "MinIO",
			body:              inByteOrder,
			wantSecondRequest: requestRest,
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newStandIn(t, reply{Header: map[string]string{"Server": tt.server}, Body: tt.body})
			b := engine.New(server.openDriver(t, tt.profile))
			for range 2 {
				// Without start-after in the request, the engine itself leaves out the keys up to "a-b".
				keys, err := listAfter(t, b, "a-b")
				require.Equal(t, tt.wantCode, storage.CodeOf(err), "%v", err)
				if err == nil {
					require.Equal(t, []string{"a/1", "b"}, keys)
				}
			}
			require.Equal(t, []string{requestAll, tt.wantSecondRequest}, server.Lines())
		})
	}
}

// listAfter returns the keys of a listing that starts after a key, and the last error of the listing.
func listAfter(t *testing.T, b storage.Bucket, start string) (keys []string, lastErr error) {
	t.Helper()
	for entry, err := range b.List(t.Context(), storage.WithStartAfter(start)) {
		if err != nil {
			lastErr = err
			continue
		}
		keys = append(keys, entry.Key)
	}
	return keys, lastErr
}

// Description.StartsAfter is true only if the server is known to list everything after the key in
// start-after. It is known by its host, or because its Server header confirms the profile.
func TestListStartAfterServers(t *testing.T) {
	minio, _ := NamedProfile("minio")
	garage, _ := NamedProfile("garage")
	scaleway, _ := NamedProfile("scaleway")
	probed := minio // as s3probe returns it
	probed.Name += ProbedSuffix
	const unknownHost = "https://storage.example"

	tests := []struct {
		name   string
		server string // the header Server
		config Config
		want   bool
	}{
		{name: "Amazon", want: true},
		{
			name:   "a host of a profile",
			config: Config{Endpoint: "https://s3.us-west-004.backblazeb2.com"},
			want:   true,
		},
		{
			name:   "a host of a service that documents no order",
			config: Config{Endpoint: "https://s3.fr-par.scw.cloud"},
		},
		{name: "a profile that has such a host", config: Config{Profile: &scaleway}},
		{name: "an unknown host without a profile", config: Config{Endpoint: unknownHost}},
		{
			name:   "an unknown host without a profile, which names itself",
			server: "Garage",
			config: Config{Endpoint: unknownHost},
		},
		{name: "an unknown host with a profile", config: Config{Endpoint: unknownHost, Profile: &garage}},
		{
			name:   "an unknown host with a profile that the server confirms",
			server: "Garage",
			config: Config{Endpoint: unknownHost, Profile: &garage},
			want:   true,
		},
		{name: "MinIO", server: "MinIO", config: Config{Endpoint: unknownHost, Profile: &minio}, want: true},
		{name: "MinIO, probed", server: "MinIO", config: Config{Endpoint: unknownHost, Profile: &probed}, want: true},
		{
			name:   "a probed profile that the server does not confirm",
			config: Config{Endpoint: unknownHost, Profile: &probed},
		},
		{
			name:   "an access point",
			config: Config{Bucket: "arn:aws:s3:eu-west-1:123456789012:accesspoint/photos"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := tt.config
			c.AccessKeyID = "key"
			c.SecretKey = "secret"
			c.Region = "eu-west-1"
			if c.Bucket == "" {
				c.Bucket = "photos"
			}

			opened, err := NewDriver(t.Context(), c)
			require.NoError(t, err)
			d := opened.(*objectDriver)
			d.account.server.Observe(http.Header{"Server": {tt.server}})
			require.Equal(t, tt.want, d.Describe().StartsAfter())
			require.NoError(t, d.Close())
		})
	}
}
