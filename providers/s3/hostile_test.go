package s3_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/s3server"
	"github.com/omnibucket/storage/storagetest/hostile"
)

// knownHostileFailures are the rows that fail. There should be none.
var knownHostileFailures = map[string]string{
	"a login page":                  "D103",
	"a login page without a length": "D103",
	"an empty JSON object":          "D103",
	"another XML document":          "D103",
	"nothing":                       "D103",
	"an encoding that nobody asked for/Download of a range": "D103",
	"another size after a cut":                              "D134",
	"the request quoted in XML":                             "D105",
	"the request quoted in a header":                        "D105",
	"an error body that trickles":                           "D135",
	"an error body of 1 GiB":                                "D104",
	"an error body of 1 GiB in JSON":                        "D104",
	"a document without an end":                             "D104",
	"empty pages with a new token each":                     "D130",
	"empty pages with one token":                            "D130",
	"status 499 after the effect":                           "D152",
	"status 507 after the effect":                           "D152",
	"status 520 after the effect":                           "D152",
	"status 524 after the effect":                           "D152",
	"status 530 after the effect":                           "D152",
	"status 598 after the effect":                           "D152",
}

func TestHostileServers(t *testing.T) {
	const key, secret, token = "AKIDHOSTILE", "secret key of the test", "the-session-token/of+the-test=="
	profile, known := s3.NamedProfile("minio")
	require.True(t, known)
	hostile.Run(t, hostile.Store{
		Server: s3server.New(s3server.Config{
			Buckets:     []string{"photos"},
			Credentials: []s3server.Credential{{AccessKeyID: key, SecretKey: secret, SessionToken: token}},
		}),
		Open: func(t *testing.T, address string) storage.Driver {
			d, err := s3.NewDriver(t.Context(), s3.Config{
				Bucket: "photos", Endpoint: address, Profile: &profile,
				AccessKeyID: key, SecretKey: secret, SessionToken: token,
			})
			require.NoError(t, err)
			return d
		},
		EmptyPage: emptyPage,
		Skip:      knownHostileFailures,
	})
}

// emptyPage returns a page of a listing without an entry.
func emptyPage(r *http.Request, token string) (contentType, body string) {
	if r.URL.Query().Get("list-type") != "2" {
		return "", ""
	}
	return "application/xml", `<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>photos</Name>` +
		`<IsTruncated>true</IsTruncated><NextContinuationToken>` + token + `</NextContinuationToken></ListBucketResult>`
}
