package s3

import (
	"strings"
	"testing"

	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/s3/internal/listxml"
)

// List and ListVersions return the same errors, although List has a decoder of its own, and
// ListVersions uses the SDK's.
func TestListErrorsMatchSDK(t *testing.T) {
	const open = `<ListBucketResult><Contents>`
	tests := []struct {
		name          string
		reply         reply
		wantCode      storage.Code
		wantRetryable bool
		wantStatus    int
	}{
		{
			name:       "an error",
			reply:      errorReply(403, "AccessDenied", "No"),
			wantCode:   storage.PermissionDenied,
			wantStatus: 403,
		},
		{
			name:          "an error without a body",
			reply:         reply{Status: 503},
			wantCode:      storage.Unavailable,
			wantRetryable: true,
			wantStatus:    503,
		},
		{
			name:          "an error with status 200",
			reply:         reply{Body: `<?xml version="1.0"?> <Error><Code>SlowDown</Code></Error>`},
			wantCode:      storage.RateLimited,
			wantRetryable: true,
			wantStatus:    500,
		},
		{
			name:          "an unknown error with status 200",
			reply:         reply{Body: `<Error><Code>Strange</Code></Error>`},
			wantCode:      storage.Unavailable,
			wantRetryable: true,
			wantStatus:    500,
		},
		{name: "a redirection", reply: reply{Status: 307}, wantCode: storage.InvalidArgument, wantStatus: 307},
		{name: "200 without a body", reply: reply{}, wantCode: storage.Unavailable, wantRetryable: true, wantStatus: 200},
		{name: "204", reply: reply{Status: 204}, wantCode: storage.Unavailable, wantRetryable: true, wantStatus: 204},
		{
			name:          "a proxy's page",
			reply:         reply{Body: `<html></html>`},
			wantCode:      storage.Unavailable,
			wantRetryable: true,
			wantStatus:    200,
		},
		{
			name:          "a page shorter than its Content-Length",
			reply:         reply{Header: map[string]string{"Content-Length": "500"}, Body: open},
			wantCode:      storage.Unavailable,
			wantRetryable: true,
			wantStatus:    200,
		},
		{
			name:          "a truncated page",
			reply:         reply{Body: open},
			wantCode:      storage.Unavailable,
			wantRetryable: true,
			wantStatus:    200,
		},
		{
			name:          "a page truncated in its first tag",
			reply:         reply{Body: open[:5]},
			wantCode:      storage.Unavailable,
			wantRetryable: true,
			wantStatus:    200,
		},
		{
			name:          "a page that is not well-formed",
			reply:         reply{Body: open + `</ListBucketResult>`},
			wantCode:      storage.Unavailable,
			wantRetryable: true,
			wantStatus:    200,
		},
		{
			name:          "a control character",
			reply:         reply{Body: open + "<Key>\x01</Key></Contents></ListBucketResult>"},
			wantCode:      storage.Unavailable,
			wantRetryable: true,
			wantStatus:    200,
		},
		{name: "a lost connection", reply: reply{Cut: true}, wantCode: storage.Unavailable, wantRetryable: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newStandIn(t, tt.reply).openDriver(t, "aws")
			for name, list := range map[string]func() error{
				"List": func() error {
					_, err := d.List(t.Context(), &driver.ListRequest{Limit: 3})
					return err
				},
				"ListVersions": func() error {
					_, err := d.ListVersions(t.Context(), &driver.ListRequest{Limit: 3})
					return err
				},
			} {
				var e *storage.Error
				require.ErrorAs(t, list(), &e, name)
				require.Equal(t, tt.wantCode, e.Code, "%s: %v", name, e)
				require.Equal(t, tt.wantRetryable, e.Retryable, name)
				require.Equal(t, tt.wantStatus, e.Status, name)
			}
		})
	}
}

// The error of a page that cannot be decoded contains a DeserializationError of the SDK, but no
// text of the page.
func TestListUnreadablePage(t *testing.T) {
	server := newStandIn(t, reply{
		Header: map[string]string{"X-Amz-Request-Id": "R1"},
		Body:   `<ListBucketResult><Contents><Key>secret-name</Contents>`,
	})
	_, err := server.openDriver(t, "aws").List(t.Context(), &driver.ListRequest{Limit: 3})

	var unreadable *smithy.DeserializationError
	require.ErrorAs(t, err, &unreadable)
	require.NotContains(t, err.Error(), "secret-name")

	var e *storage.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, "R1", e.RequestID)
}

// If a page has too many bytes or entries, List fails with Internal, and the error is not
// retryable.
func TestListPageTooLarge(t *testing.T) {
	tests := []struct{ name, body string }{
		{
			name: "too many bytes",
			body: `<ListBucketResult><X>` + strings.Repeat(" ", listxml.MaxBytes) + `</X></ListBucketResult>`,
		},
		{
			name: "too many entries",
			body: `<ListBucketResult>` + strings.Repeat(`<Contents/>`, listxml.MaxEntries+1) +
				`</ListBucketResult>`,
		},
		{
			name: "too many prefixes",
			body: `<ListBucketResult>` + strings.Repeat(`<CommonPrefixes/>`, listxml.MaxEntries+1) +
				`</ListBucketResult>`,
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newStandIn(t, reply{Body: tt.body}).openDriver(t, "aws")
			_, err := d.List(t.Context(), &driver.ListRequest{Limit: 3})
			var e *storage.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, storage.Internal, e.Code)
			require.False(t, e.Retryable)
		})
	}
}

// List writes its entries into the slice of the request, and leaves nothing of the previous page in
// them.
func TestListReusesTheGivenEntries(t *testing.T) {
	entries := make([]storage.ListEntry, 3, 10)
	// This is an entry of the previous page.
	entries[0] = storage.ListEntry{Key: "z", Size: 9, ETag: "z", Revision: "z", IsPrefix: true}
	server := newStandIn(t, reply{
		Body: `<ListBucketResult><Contents><Key>a</Key></Contents>` +
			`<Contents><Key>b</Key></Contents></ListBucketResult>`,
	})

	page, err := server.openDriver(t, "aws").List(t.Context(), &driver.ListRequest{
		Limit:   3,
		Entries: entries[:0],
	})
	require.NoError(t, err)
	require.Equal(t, []storage.ListEntry{{Key: "a"}, {Key: "b"}}, page.Entries)
	require.Same(t, &entries[0], &page.Entries[0], "the memory must be reused")
}
