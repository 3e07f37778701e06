package azure_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/testing/recorded"
)

// recordedVersion is the oldest version of the API in which the recorded requests are valid. The recording does not
// contain their version.
const recordedVersion = "2023-11-03"

// azuritesDifferences are the differences between the responses of Azure and those of Azurite, each
// with the reason.
var azuritesDifferences = map[string]string{
	`a copy, status 404: field /Error/Code is ["CannotVerifyCopySource"] and not ["BlobNotFound"]`:                copySource,
	`a copy, status 404: header X-Ms-Error-Code is ["CannotVerifyCopySource"] and not ["BlobNotFound"]`:           copySource,
	`a removal, status 202: header X-Ms-Delete-Type-Permanent is ["true"] and not ["false"]`:                      "the account has soft delete since 2025, and Azurite has none",
	"a removal, status 202: the stand-in sends 404":                                                               "the recording has this response twice",
	"field /EnumerationResults/Blobs/Blob/OrMetadata is missing":                                                  noReplication,
	"field /EnumerationResults/Blobs/Blob/Properties/AccessTierChangeTime is one that the provider does not send": tierChange,
	"header X-Ms-Access-Tier-Change-Time is one that the provider does not send":                                  tierChange,
	"field /EnumerationResults/Blobs/Blob/Properties/Content-CRC64 is missing":                                    noCRC64,
	"header X-Ms-Content-Crc64 is missing":                                                                        noCRC64,
	"field /EnumerationResults/Delimiter is one that the provider does not send":                                  emptyElement,
	"field /EnumerationResults/Marker is one that the provider does not send":                                     emptyElement,
	"GET container, status 400: the stand-in sends no document":                                                   emptyName,
	"PUT container, status 400: the stand-in sends no document":                                                   emptyName,
	"header Cache-Control is one that the provider does not send":                                                 emptyProperty,
	"header Content-Encoding is one that the provider does not send":                                              emptyProperty,
	"header Content-Language is one that the provider does not send":                                              emptyProperty,
	"header X-Ms-Blob-Content-Md5 is one that the provider does not send":                                         "Azure sends it only with a range, and Azurite always",
	"header X-Ms-Incremental-Copy is one that the provider does not send":                                         "Azurite sends it for every copy",
	"header X-Ms-Version is missing":                                                                              "Azurite leaves it out of some errors",
}

const (
	copySource    = "Azurite has the code of a source in another account"
	noReplication = "Azurite has no object replication"
	tierChange    = "Azurite sends it for a tier that was never changed"
	noCRC64       = "Azurite computes no CRC64"
	emptyElement  = "Azurite sends the parameters of a listing even if they are empty"
	emptyName     = "Azurite's response to a blob without a name has no document"
	emptyProperty = "Azurite sends a property that was written as an empty header"
)

// recordedContainer is the container of the recorded requests.
const recordedContainer = "go-cloud-bucket"

// Azurite gets the requests that the tests of gocloud.dev sent to Azure, in the same order, and responds as Azure
// did.
func TestRecordedRequestsOfAzure(t *testing.T) {
	emulator := needAzurite(t)
	account, err := url.Parse(emulator.endpoint)
	require.NoError(t, err)

	// recorded.Repeat sends each request, except those that Unrepeatable gives a reason for. It
	// fails if a response differs from the recorded one. Only the names in Varying, such as times
	// and ids, and the known Differences may differ.
	server := recorded.StandIn{
		Name: "Azurite",
		Begin: func(t *testing.T) func(*http.Request) *http.Response {
			return emulator.repeater(t, account)
		},
		Unrepeatable: func(x *recorded.Exchange) string {
			if x.Request.Header.Get("X-Ms-Date") == "" {
				return "it is anonymous, or the signature of its URL is cleared"
			}
			return ""
		},
		Varying: []string{
			// headers
			"Etag", "Last-Modified", "X-Ms-Request-Id", "X-Ms-Creation-Time",
			"X-Ms-Copy-Id", "X-Ms-Copy-Completion-Time", "X-Ms-Copy-Source",

			// fields of documents
			"Message", "Creation-Time", "Last-Modified", "NextMarker", "UriPath",
		},
		Differences: azuritesDifferences,
	}
	recorded.Repeat(t, server, recorded.GoCloud(t, recorded.Azure))
}

// repeater makes a container. It returns a function that sends recorded requests to that container, with a signature,
// and returns their responses.
func (s *azuriteServer) repeater(t *testing.T, account *url.URL) func(*http.Request) *http.Response {
	t.Helper()
	container := s.container(t)
	types := sas.AccountResourceTypes{Service: true, Container: true, Object: true}
	permissions := sas.AccountPermissions{
		Read:   true,
		Add:    true,
		Create: true,
		Write:  true,
		Delete: true,
		List:   true,
	}
	signedURL, err := s.raw.GetSASURL(types, permissions, time.Now().Add(time.Hour), nil)
	require.NoError(t, err)
	signature, err := url.Parse(signedURL)
	require.NoError(t, err)

	// translate returns the URL in the emulator for a URL of the recorded account.
	translate := func(src *url.URL) *url.URL {
		dst := *src
		dst.Scheme = account.Scheme
		dst.Host = account.Host
		segments := strings.SplitN(src.EscapedPath(), "/", 3) // "", the container and the key
		segments[0] = account.Path
		if segments[1] == recordedContainer {
			segments[1] = container
		}
		dst.RawPath = strings.Join(segments, "/")
		dst.Path, err = url.PathUnescape(dst.RawPath)
		require.NoError(t, err)
		dst.RawQuery = strings.Trim(src.RawQuery+"&"+signature.RawQuery, "&")
		return &dst
	}
	client := &http.Client{Transport: &http.Transport{DisableCompression: true}}
	t.Cleanup(client.CloseIdleConnections)
	return func(r *http.Request) *http.Response {
		r.URL = translate(r.URL)
		r.Host = r.URL.Host
		r.Header.Set("X-Ms-Version", recordedVersion)
		if source := r.Header.Get("X-Ms-Copy-Source"); source != "" {
			sourceURL, err := url.Parse(source)
			require.NoError(t, err)
			r.Header.Set("X-Ms-Copy-Source", translate(sourceURL).String())
		}
		resp, err := client.Do(r)
		require.NoError(t, err)
		return resp
	}
}
