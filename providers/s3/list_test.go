package s3

import (
	"cmp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/s3/internal/listing"
)

// List sends one request with the limit, the prefix and the start of the page.
func TestListRequest(t *testing.T) {
	// Every request asks for escaped keys, and for the second version of the listing protocol.
	tests := []struct {
		name      string
		request   driver.ListRequest
		wantQuery string
	}{
		{
			name:      "the first page",
			request:   driver.ListRequest{Limit: 1000},
			wantQuery: "encoding-type=url&list-type=2&max-keys=1000",
		},
		{
			name:      "prefix and delimiter",
			request:   driver.ListRequest{Limit: 10, Prefix: "a b/", Delimiter: "/"},
			wantQuery: "delimiter=%2F&encoding-type=url&list-type=2&max-keys=10&prefix=a%20b%2F",
		},
		{
			name:      "after a key",
			request:   driver.ListRequest{Limit: 10, StartAfter: "k"},
			wantQuery: "encoding-type=url&list-type=2&max-keys=10&start-after=k",
		},
		{
			name:      "a start before the prefix, which has no effect",
			request:   driver.ListRequest{Limit: 10, Prefix: "a/", StartAfter: "a"},
			wantQuery: "encoding-type=url&list-type=2&max-keys=10&prefix=a%2F",
		},
		{
			name:      "a start in the prefix",
			request:   driver.ListRequest{Limit: 10, Prefix: "a/", StartAfter: "a/1"},
			wantQuery: "encoding-type=url&list-type=2&max-keys=10&prefix=a%2F&start-after=a%2F1",
		},
		{
			name:      "a start after the prefix",
			request:   driver.ListRequest{Limit: 10, Prefix: "a/", StartAfter: "a0"},
			wantQuery: "encoding-type=url&list-type=2&max-keys=10&prefix=a%2F&start-after=a0",
		},
		{
			name:      "a token, which has precedence over the key",
			request:   driver.ListRequest{Limit: 10, StartAfter: "k", Token: "t+/="},
			wantQuery: "continuation-token=t%2B%2F%3D&encoding-type=url&list-type=2&max-keys=10",
		},
		{
			name:      "a larger page than the store permits",
			request:   driver.ListRequest{Limit: 5000},
			wantQuery: "encoding-type=url&list-type=2&max-keys=1000",
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newStandIn(t, reply{Body: `<ListBucketResult></ListBucketResult>`})
			_, err := server.openDriver(t, "aws").List(t.Context(), &tt.request)
			require.NoError(t, err)
			require.Equal(t, []string{"GET /photos?" + tt.wantQuery}, server.Lines())
		})
	}
}

// For a prefix with an empty segment, List returns an empty page, as on other stores. It sends no request, because
// MinIO would refuse it.
func TestListMinIOEmptySegments(t *testing.T) {
	server := newStandIn(t)
	d := server.openDriver(t, "minio")

	page, err := d.List(t.Context(), &driver.ListRequest{Prefix: "a//b", Limit: 10})
	require.NoError(t, err)
	require.Empty(t, page.Entries)
	require.Empty(t, server.Lines())
}

// If the server is not MinIO, List sends a prefix with an empty segment, even if the server's
// tokens are slow.
func TestListSlowTokensEmptySegments(t *testing.T) {
	server := newStandIn(t, reply{
		Body: `<ListBucketResult><Contents><Key>a//b</Key>` +
			`<LastModified>2026-01-02T03:04:05Z</LastModified></Contents></ListBucketResult>`,
	})
	d := server.openDriver(t, "unknown")
	d.account.profile.SlowTokens = true

	page, err := d.List(t.Context(), &driver.ListRequest{Prefix: "a//b", Limit: 10})
	require.NoError(t, err)
	require.Len(t, page.Entries, 1)
}

// MinIO is slow if a listing continues by its token. So the driver requests each of the 16 pages
// after the first one by start-after, with the last key of the page before. The token "after:2:k"
// is the driver's own. It means the second of these pages, which begins after the key k. The key
// may contain a colon.
func TestListSlowTokensByKey(t *testing.T) {
	const firstPage = "encoding-type=url&list-type=2&max-keys=10&start-after=0"
	tests := []struct {
		name      string
		profile   string
		token     string // of the request
		delimiter string
		lastKey   string // of the page; "a:1" if empty
		wantQuery string
		wantToken string // of the next page; "next" is the server's token
	}{
		{
			name:      "a page that ends in a folder",
			profile:   "minio",
			token:     "after:1:a",
			lastKey:   "b/1",
			wantQuery: "encoding-type=url&list-type=2&max-keys=10&start-after=a",
			wantToken: "next",
		},
		{
			name:      "the first page",
			profile:   "minio",
			wantQuery: firstPage,
			wantToken: "after:1:a:1",
		},
		{
			name:      "the second page",
			profile:   "minio",
			token:     "after:1:a:1",
			wantQuery: "encoding-type=url&list-type=2&max-keys=10&start-after=a%3A1",
			wantToken: "after:2:a:1",
		},
		{
			name:      "the last page by key",
			profile:   "minio",
			token:     "after:16:a",
			wantQuery: "encoding-type=url&list-type=2&max-keys=10&start-after=a",
			wantToken: "next",
		},
		{
			name:      "a page by the server's token",
			profile:   "minio",
			token:     "next",
			wantQuery: "continuation-token=next&encoding-type=url&list-type=2&max-keys=10",
			wantToken: "next",
		},
		{
			name:      "a listing with folders",
			profile:   "minio",
			delimiter: "/",
			wantQuery: "delimiter=%2F&" + firstPage,
			wantToken: "next",
		},
		{
			name:      "a server with quick tokens",
			profile:   "aws",
			wantQuery: firstPage,
			wantToken: "next",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			body := `<ListBucketResult>` +
				`<IsTruncated>true</IsTruncated><NextContinuationToken>next</NextContinuationToken>` +
				`<Contents><Key>` + cmp.Or(tt.lastKey, "a:1") + `</Key></Contents></ListBucketResult>`
			server := newStandIn(t, reply{Header: map[string]string{"Server": "MinIO"}, Body: body})
			d := server.openDriver(t, tt.profile)
			start := time.Now()
			d.account.clock.Now = func() time.Time { return start } // each page is quick

			page, err := d.List(t.Context(), &driver.ListRequest{
				Limit:      10,
				Token:      tt.token,
				Delimiter:  tt.delimiter,
				StartAfter: "0",
			})
			require.NoError(t, err)
			require.Equal(t, tt.wantToken, page.Token)
			require.Equal(t, []string{"GET /photos?" + tt.wantQuery}, server.Lines())
		})
	}
}

// If a page took longer than listing.QuickPage, List returns the server's token, even if the
// server's tokens are slow.
func TestListSlowTokensSlowPage(t *testing.T) {
	d := newDriver(&account{profile: Profile{SlowTokens: true, OrderedListing: true}}, "")
	page := &storage.Page{Token: "next", Entries: []storage.ListEntry{{Key: "a"}}}

	const tooLong = listing.QuickPage + 1
	d.account.setKeyToken(&driver.ListRequest{}, page, tooLong)
	require.Equal(t, "next", page.Token)
}

// List returns the objects and folders of a page in the order of their unescaped keys, and the
// token of the next page.
func TestListResponse(t *testing.T) {
	modified := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	server := newStandIn(t, reply{Body: `<ListBucketResult>
		<EncodingType>url</EncodingType>
		<IsTruncated>true</IsTruncated><NextContinuationToken>next</NextContinuationToken>
		<Contents>
			<Key>a+b%2Bc%01</Key><Size>3</Size><ETag>"x"</ETag>
			<LastModified>2026-01-02T03:04:05.678Z</LastModified>
		</Contents>
		<Contents>
			<Key>c%25</Key><Size>4</Size><ETag>y</ETag><LastModified>2026-01-02T03:04:05Z</LastModified>
		</Contents>
		<CommonPrefixes><Prefix>b%2F</Prefix></CommonPrefixes>
		</ListBucketResult>`})

	page, err := server.openDriver(t, "aws").List(t.Context(), &driver.ListRequest{Limit: 3, Delimiter: "/"})
	require.NoError(t, err)
	require.Equal(t, &storage.Page{Token: "next", Entries: []storage.ListEntry{
		{Key: "a b+c\x01", Size: 3, ETag: `"x"`, Revision: `"x"`, Modified: modified},
		{Key: "b/", IsPrefix: true},
		{Key: "c%", Size: 4, ETag: `"y"`, Revision: `"y"`, Modified: modified},
	}}, page)
}

// List fails with the code of an error response, and refuses a page that is incomplete or
// malformed.
func TestListFailures(t *testing.T) {
	tests := []struct {
		name     string
		reply    reply
		wantCode storage.Code
	}{
		{name: "a missing bucket", reply: errorReply(404, "NoSuchBucket", ""), wantCode: storage.BucketNotFound},
		{name: "a missing bucket, without a body", reply: reply{Status: 404}, wantCode: storage.BucketNotFound},
		{
			name:     "an invalid token",
			reply:    errorReply(400, "InvalidArgument", "The continuation token provided is incorrect"),
			wantCode: storage.InvalidArgument,
		},
		{
			name:     "a truncated page without a token",
			reply:    reply{Body: `<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>`},
			wantCode: storage.Internal,
		},
		{
			name: "a key that is not escaped as announced",
			reply: reply{
				Body: `<ListBucketResult><EncodingType>url</EncodingType>` +
					`<Contents><Key>%zz</Key></Contents></ListBucketResult>`,
			},
			wantCode: storage.Internal,
		},
		{
			name: "a key with incomplete escaping",
			reply: reply{
				Body: `<ListBucketResult><EncodingType>url</EncodingType>` +
					`<Contents><Key>a%2</Key></Contents></ListBucketResult>`,
			},
			wantCode: storage.Internal,
		},
		{
			name: "a truncated page",
			reply: reply{
				Header: map[string]string{"Content-Length": "500"},
				Body:   `<ListBucketResult><Contents>`,
			},
			wantCode: storage.Unavailable,
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newStandIn(t, tt.reply).openDriver(t, "aws")
			_, err := d.List(t.Context(), &driver.ListRequest{Limit: 3})
			require.Equal(t, tt.wantCode, storage.CodeOf(err), "%v", err)
		})
	}
}
