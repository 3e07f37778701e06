package s3

import (
	"encoding/base64"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// A listRange describes the keys that a request lists: those with a prefix, after the key
// startAfter.
type listRange struct{ prefix, startAfter string }

// On MinIO, List continues after a key with several requests: for the rest of its folder, then for the rest of the
// folder around it, and so on outwards. The token "after:16:k" says that the page continues after the key k.
//
// All keys in the folder "a/" come before the key "a0", because "0" is the character after "/". So the rest around the
// folder is the key "a0" itself, and all keys after it.
func TestListRestByFolder(t *testing.T) {
	tests := []struct {
		name string
		list driver.ListRequest
		want []listRange // of the requests, in their order
	}{
		{
			name: "a key two folders below",
			list: driver.ListRequest{Token: "after:16:a/b/c"},
			want: []listRange{
				{prefix: "a/b/", startAfter: "a/b/c"},
				{prefix: "a/b0"},
				{prefix: "a/", startAfter: "a/b0"},
				{prefix: "a0"},
				{startAfter: "a0"},
			},
		},
		{
			name: "a key below a prefix that is no folder",
			list: driver.ListRequest{Prefix: "a/b", Token: "after:16:a/b/c"},
			want: []listRange{
				{prefix: "a/b/", startAfter: "a/b/c"},
				{prefix: "a/b0"},
				{prefix: "a/b", startAfter: "a/b0"},
			},
		},
		{
			name: "a folder that is one entry of the page",
			list: driver.ListRequest{Delimiter: "/", Token: "after:16:a/b/"},
			want: []listRange{
				{prefix: "a0"},
				{startAfter: "a0"},
			},
		},
		{
			name: "a folder as an object",
			list: driver.ListRequest{Token: "after:16:a/"},
			want: []listRange{
				{prefix: "a/", startAfter: "a/"},
				{prefix: "a0"},
				{startAfter: "a0"},
			},
		},
		{
			name: "a key with an empty segment",
			list: driver.ListRequest{Token: "after:16:a//b"},
			want: []listRange{
				{prefix: "a//", startAfter: "a//b"},
				{prefix: "a/0"},
				{prefix: "a/", startAfter: "a/0"},
				{prefix: "a0"},
				{startAfter: "a0"},
			},
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newStandIn(t, reply{Body: `<ListBucketResult></ListBucketResult>`})
			request := tt.list
			request.Limit = 10

			page, err := server.openDriver(t, "minio").List(t.Context(), &request)
			require.NoError(t, err)
			require.Empty(t, page.Token)
			require.Empty(t, page.Entries)

			var got []listRange
			for _, r := range server.Requests() {
				require.Equal(t, tt.list.Delimiter, r.Query().Get("delimiter"))
				got = append(got, listRange{prefix: r.Query().Get("prefix"), startAfter: r.Query().Get("start-after")})
			}
			require.Equal(t, tt.want, got)
		})
	}
}

// If a page begins after a key in a folder, MinIO may leave out entries. So the driver first lists the rest of the
// folder. A page without entries does not end this rest if it has a token, because keys that the server leaves out
// may have filled the page. List fails if a server returns only such pages.
func TestListRestEmptyPages(t *testing.T) {
	empty := reply{Body: `<ListBucketResult><IsTruncated>true</IsTruncated>` +
		`<NextContinuationToken>next</NextContinuationToken></ListBucketResult>`}
	last := reply{Body: `<ListBucketResult><Contents><Key>b/6</Key></Contents></ListBucketResult>`}
	list := &driver.ListRequest{StartAfter: "b/5", Limit: 10}

	t.Run("two empty pages", func(t *testing.T) {
		server := newStandIn(t, empty, empty, last)
		page, err := server.openDriver(t, "minio").List(t.Context(), list)
		require.NoError(t, err)
		require.Len(t, page.Entries, 1)
		require.Equal(t, "b/6", page.Entries[0].Key)

		// All requests list the rest of the folder.
		requests := server.Requests()
		require.Len(t, requests, 3)
		for _, request := range requests {
			require.Equal(t, "b/", request.Query().Get("prefix"))
		}
		require.Equal(t, "next", requests[2].Query().Get("continuation-token"))
		require.Empty(t, requests[2].Query().Get("start-after"))
	})

	t.Run("only empty pages", func(t *testing.T) {
		server := newStandIn(t, empty)
		_, err := server.openDriver(t, "minio").List(t.Context(), list)
		require.ErrorIs(t, err, storage.Unavailable)
		require.Len(t, server.Requests(), maxEmptyPages)
	})
}

// MinIO prepares the pages of a listing in its cache, and its tokens show this. A page that begins
// in a folder may be incomplete if MinIO had not prepared it. The driver then requests the page
// again by start-after.
func TestListPageInFolderPrepared(t *testing.T) {
	const (
		prepared    = "[minio_cache:v2,id:0b3e,p:0,s:0]" // ends the marker of a prepared listing
		notPrepared = "[minio_cache:v2,return:]"
		end         = `<ListBucketResult></ListBucketResult>`
	)
	token := func(marker string) string { return base64.StdEncoding.EncodeToString([]byte(marker)) }
	page := func(marker string) string {
		return `<ListBucketResult><IsTruncated>true</IsTruncated>` +
			`<NextContinuationToken>` + token(marker) + `</NextContinuationToken></ListBucketResult>`
	}
	tests := []struct {
		name            string
		profile         string
		server          string // the header Server
		list            driver.ListRequest
		body            string
		wantSecondStart string // start-after of the second request; "": no second request
	}{
		{
			name:            "a last page in a folder",
			profile:         "minio",
			list:            driver.ListRequest{Token: token("b/5" + prepared)},
			body:            end,
			wantSecondStart: "b/5",
		},
		{
			name:    "a prepared page",
			profile: "minio",
			list:    driver.ListRequest{Token: token("b/5" + notPrepared)},
			body:    page("b/7" + prepared),
		},
		{
			name:            "a page that was not prepared",
			profile:         "minio",
			list:            driver.ListRequest{Token: token("b/5" + prepared)},
			body:            page("b/7" + notPrepared),
			wantSecondStart: "b/5",
		},
		{
			name:            "a key with the text of a marker",
			profile:         "minio",
			list:            driver.ListRequest{Token: token("b/[minio_cache:v2" + prepared)},
			body:            end,
			wantSecondStart: "b/[minio_cache:v2",
		},
		{
			name:            "a server that says that it is MinIO",
			profile:         "unknown",
			server:          "MinIO",
			list:            driver.ListRequest{Token: token("b/5" + prepared)},
			body:            end,
			wantSecondStart: "b/5",
		},
		{
			name:    "a token of a server with the wrong profile",
			profile: "minio",
			list:    driver.ListRequest{Token: token("\xe7\x98kb/5")},
			body:    end,
		},
		{
			name:    "a key in the prefix's folder",
			profile: "minio",
			list:    driver.ListRequest{Prefix: "b/", Token: token("b/5" + prepared)},
			body:    end,
		},
		{
			name:    "a start outside of the prefix",
			profile: "minio",
			list:    driver.ListRequest{Prefix: "b/", StartAfter: "c/1"},
			body:    end,
		},
		{name: "the first page", profile: "minio", list: driver.ListRequest{}, body: page("b/7" + notPrepared)},
		{
			name:    "another server than MinIO",
			profile: "aws",
			list:    driver.ListRequest{Token: token("b/5" + prepared)},
			body:    end,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newStandIn(t, reply{Header: map[string]string{"Server": tt.server}, Body: tt.body},
				reply{Body: `<ListBucketResult><Contents><Key>b/6</Key></Contents></ListBucketResult>`})
			d := server.openDriver(t, tt.profile)
			d.account.server.Observe(http.Header{"Server": {tt.server}})
			request := tt.list
			request.Limit = 10

			page, err := d.List(t.Context(), &request)
			require.NoError(t, err)
			if tt.wantSecondStart == "" {
				require.Len(t, server.Requests(), 1)
				return
			}
			require.Equal(t, "after:16:b/6", page.Token)
			require.Equal(t, tt.wantSecondStart, server.Requests()[1].Query().Get("start-after"))
		})
	}
}

// A listing on MinIO that starts after a key in a folder first requests the rest of that folder.
// The number in a token counts the pages that were requested by key. After a page of the rest of a
// folder, the token has the largest number, 16.
func TestListStartAfterInFolder(t *testing.T) {
	for name, token := range map[string]string{
		"the first page":                        "",
		"the third page":                        "after:2:b/5",
		"a page after one that was in a folder": "after:16:b/5",
	} {
		t.Run(name, func(t *testing.T) {
			server := newStandIn(t, reply{
				Body: `<ListBucketResult><Contents><Key>b/6</Key></Contents></ListBucketResult>`,
			})
			d := server.openDriver(t, "minio")

			page, err := d.List(t.Context(), &driver.ListRequest{
				StartAfter: "b/5",
				Token:      token,
				Limit:      10,
			})
			require.NoError(t, err)
			require.Equal(t, "after:16:b/6", page.Token)
			require.Equal(t, []string{
				"GET /photos?encoding-type=url&list-type=2&max-keys=10&prefix=b%2F&start-after=b%2F5",
			}, server.Lines())
		})
	}
}
