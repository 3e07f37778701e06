package s3

import (
	"errors"
	"strings"
	"testing"

	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/s3/internal/listxml"
)

// The driver's own decoder of listings reports the same errors as the SDK.
func TestListErrorsMatchSDK(t *testing.T) {
	const open = `<ListBucketResult><Contents>`
	for _, row := range []struct {
		name   string
		reply  reply
		code   storage.Code
		again  bool
		status int
	}{
		{"an error", failing(403, "AccessDenied", "No"), storage.PermissionDenied, false, 403},
		{"an error without a body", reply{Status: 503}, storage.Unavailable, true, 503},
		{"an error with status 200", reply{Body: `<?xml version="1.0"?> <Error><Code>SlowDown</Code></Error>`}, storage.RateLimited, true, 500},
		{"an unknown error with status 200", reply{Body: `<Error><Code>Strange</Code></Error>`}, storage.Unavailable, true, 500},
		{"a redirection", reply{Status: 307}, storage.InvalidArgument, false, 307},
		{"no content at all", reply{}, storage.Unavailable, true, 200},
		{"no content", reply{Status: 204}, storage.Unavailable, true, 204},
		{"a proxy's page", reply{Body: `<html></html>`}, storage.Unavailable, true, 200},
		{"a page shorter than its Content-Length", reply{Header: map[string]string{"Content-Length": "500"}, Body: open}, storage.Unavailable, true, 200},
		{"a truncated page", reply{Body: open}, storage.Unavailable, true, 200},
		{"a page truncated in its first tag", reply{Body: open[:5]}, storage.Unavailable, true, 200},
		{"a page that is not well-formed", reply{Body: open + `</ListBucketResult>`}, storage.Unavailable, true, 200},
		{"a control character", reply{Body: open + "<Key>\x01</Key></Contents></ListBucketResult>"}, storage.Unavailable, true, 200},
		{"a lost connection", reply{Cut: true}, storage.Unavailable, true, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			d := newStandIn(t, row.reply).on(t, "aws")
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
				require.Equal(t, row.code, e.Code, "%s: %v", name, e)
				require.Equal(t, row.again, e.Retryable, name)
				require.Equal(t, row.status, e.Status, name)
			}
		})
	}
}

// If a page cannot be decoded, the error contains a DeserializationError of the SDK.
func TestListUnreadablePage(t *testing.T) {
	w := newStandIn(t, reply{Header: map[string]string{"X-Amz-Request-Id": "R1"}, Body: `<ListBucketResult><Contents><Key>secret-name</Contents>`})
	_, err := w.on(t, "aws").List(t.Context(), &driver.ListRequest{Limit: 3})
	var unreadable *smithy.DeserializationError
	require.ErrorAs(t, err, &unreadable)
	require.NotContains(t, err.Error(), "secret-name")
	var e *storage.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, "R1", e.RequestID)
}

// A page that is too large is refused.
func TestListPageTooLarge(t *testing.T) {
	for _, row := range []struct{ name, body string }{
		{"too many bytes", `<ListBucketResult><X>` + strings.Repeat(" ", listxml.MaxBytes) + `</X></ListBucketResult>`},
		{"too many entries", `<ListBucketResult>` + strings.Repeat(`<Contents/>`, listxml.MaxEntries+1) + `</ListBucketResult>`},
		{"too many prefixes", `<ListBucketResult>` + strings.Repeat(`<CommonPrefixes/>`, listxml.MaxEntries+1) + `</ListBucketResult>`},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := newStandIn(t, reply{Body: row.body}).on(t, "aws").List(t.Context(), &driver.ListRequest{Limit: 3})
			require.ErrorIs(t, err, storage.Internal)
			var e *storage.Error
			require.True(t, errors.As(err, &e) && !e.Retryable, "a retry would not help")
		})
	}
}

func TestListReusesTheGivenEntries(t *testing.T) {
	spare := make([]storage.ListEntry, 3, 10)
	spare[0] = storage.ListEntry{Key: "z", Size: 9, ETag: "z", Revision: "z", IsPrefix: true}
	w := newStandIn(t, reply{Body: `<ListBucketResult><Contents><Key>a</Key></Contents><Contents><Key>b</Key></Contents></ListBucketResult>`})
	page, err := w.on(t, "aws").List(t.Context(), &driver.ListRequest{Limit: 3, Entries: spare[:0]})
	require.NoError(t, err)
	require.Equal(t, []storage.ListEntry{{Key: "a"}, {Key: "b"}}, page.Entries, "nothing of the previous page remains")
	require.Same(t, &spare[0], &page.Entries[0])
}
