package s3

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/engine"
)

// A listing uses start-after only on a known server.
func TestListStartAfterKnownServer(t *testing.T) {
	const (
		page = `<ListBucketResult><Contents><Key>a-b</Key></Contents><Contents><Key>a/1</Key></Contents><Contents><Key>b</Key></Contents></ListBucketResult>`
		tree = `<ListBucketResult><Contents><Key>a/1</Key></Contents><Contents><Key>a-b</Key></Contents><Contents><Key>b</Key></Contents></ListBucketResult>`

		list  = "GET /photos?encoding-type=url&list-type=2&max-keys=1000"
		start = list + "&start-after=a-b"
	)
	for _, row := range []struct {
		name, profile, server string
		body                  string
		second                string // request of a second listing
		code                  storage.Code
	}{
		{"an unknown server", "unknown", "", page, list, ""},
		{"an unknown server that lists like a tree", "unknown", "", tree, list, storage.Unsupported},
		{"a profile that may be the wrong one", "aws", "", page, list, ""},
		{"another server than the profile says", "minio", "SeaweedFS S3", tree, list, storage.Unsupported},
		{"the server of the profile", "minio", "MinIO", page, start, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newStandIn(t, reply{Header: map[string]string{"Server": row.server}, Body: row.body})
			b := engine.New(w.on(t, row.profile))
			for range 2 {
				keys := []string{}
				var code storage.Code
				for entry, err := range b.List(t.Context(), storage.WithStartAfter("a-b")) {
					code = storage.CodeOf(err)
					if err == nil {
						keys = append(keys, entry.Key)
					}
				}
				require.Equal(t, row.code, code)
				if code == "" {
					require.Equal(t, []string{"a/1", "b"}, keys)
				}
			}
			require.Equal(t, []string{list, row.second}, w.server.Lines())
		})
	}
}

// The driver sends start-after only to servers that are known to list everything after that key.
func TestListStartAfterServers(t *testing.T) {
	minio, _ := NamedProfile("minio")
	garage, _ := NamedProfile("garage")
	scaleway, _ := NamedProfile("scaleway")
	probed := minio
	probed.Name += ProbedSuffix
	const own = "https://storage.example"
	for _, row := range []struct {
		name, server string
		config       Config
		want         bool
	}{
		{"Amazon", "", Config{}, true},
		{"a host of a profile", "", Config{Endpoint: "https://s3.us-west-004.backblazeb2.com"}, true},
		{"a host of a service that documents no order", "", Config{Endpoint: "https://s3.fr-par.scw.cloud"}, false},
		{"a profile that has such a host", "", Config{Profile: &scaleway}, false},
		{"a host without a profile", "", Config{Endpoint: own}, false},
		{"a host without a profile that names itself", "Garage", Config{Endpoint: own}, false},
		{"a given profile", "", Config{Endpoint: own, Profile: &garage}, false},
		{"a given profile that the server confirms", "Garage", Config{Endpoint: own, Profile: &garage}, true},
		{"MinIO", "MinIO", Config{Endpoint: own, Profile: &minio}, true},
		{"MinIO, probed", "MinIO", Config{Endpoint: own, Profile: &probed}, true},
		{"a probed profile of an unknown server", "", Config{Endpoint: own, Profile: &probed}, false},
		{"an access point", "", Config{Bucket: "arn:aws:s3:eu-west-1:123456789012:accesspoint/photos"}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := row.config
			c.AccessKeyID = "key"
			c.SecretKey = "secret"
			c.Region = "eu-west-1"
			if c.Bucket == "" {
				c.Bucket = "photos"
			}
			made, err := NewDriver(t.Context(), c)
			require.NoError(t, err)
			d := made.(*objectDriver)
			d.account.server.see(http.Header{"Server": {row.server}})
			require.Equal(t, row.want, d.Describe().StartsAfter())
			require.NoError(t, d.Close())
		})
	}
}
